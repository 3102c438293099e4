//! MariaDB's global transaction identifiers and the position they make up.
//!
//! Text form: `domain-server-sequence[,…]`, one for each domain (MariaDB Knowledge Base, "Global Transaction ID").
//! Unlike MySQL's set, a position names the last transaction of each domain; those before it are implied by the order in
//! which the domain's transactions were logged.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One transaction's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainGtid {
    /// The stream of transactions it belongs to.
    pub domain: u32,
    /// `server_id` of the server on which it was first committed.
    pub server: u32,
    /// Its number, from 1; rises within a domain.
    pub sequence: u64,
}

/// The last transaction of each domain.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Domains {
    last: BTreeMap<u32, (u32, u64)>,
}

/// A text is no position of MariaDB's kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a MariaDB GTID: it has the form domain-server-sequence")]
pub struct DomainsError {
    /// The offending part.
    pub text: String,
}

impl Domains {
    /// Makes `gtid` the last of its domain.
    pub fn advance(&mut self, gtid: DomainGtid) {
        self.last.insert(gtid.domain, (gtid.server, gtid.sequence));
    }

    /// The last transaction of a domain.
    pub fn last(&self, domain: u32) -> Option<DomainGtid> {
        self.last.get(&domain).map(|&(server, sequence)| DomainGtid { domain, server, sequence })
    }

    /// The last transaction of each domain, by domain.
    pub fn iter(&self) -> impl Iterator<Item = DomainGtid> {
        self.last.iter().map(|(&domain, &(server, sequence))| DomainGtid { domain, server, sequence })
    }
}

impl fmt::Display for DomainGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

impl FromStr for DomainGtid {
    type Err = DomainsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DomainsError { text: text.to_owned() };
        let mut parts = text.split('-');
        let (Some(domain), Some(server), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(error());
        };
        Ok(Self {
            domain: domain.parse().map_err(|_| error())?,
            server: server.parse().map_err(|_| error())?,
            sequence: sequence.parse().map_err(|_| error())?,
        })
    }
}

impl fmt::Display for Domains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gtid) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{gtid}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Domains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domains({self})")
    }
}

impl FromStr for Domains {
    type Err = DomainsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut domains = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            domains.advance(part.parse()?);
        }
        Ok(domains)
    }
}

impl Serialize for Domains {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Domains {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_entry_a_domain_and_reads_back() {
        let mut position: Domains = "0-1-5, 7-2-9".parse().unwrap();
        position.advance("0-3-6".parse().unwrap());
        assert_eq!(position.to_string(), "0-3-6,7-2-9");
        assert_eq!(position.to_string().parse(), Ok(position));
        assert_eq!("".parse::<Domains>().unwrap(), Domains::default());
        for bad in ["0-1", "0-1-2-3", "a-1-2", "0--1", "-1-2-3"] {
            assert!(bad.parse::<Domains>().is_err(), "{bad}");
        }
    }
}
