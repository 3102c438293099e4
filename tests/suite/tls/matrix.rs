//! What each mode says of each certificate: one table for every kind of server.

use super::certificates::file;
use rowferry::testing::config::types::TlsFiles;

/// The five modes, which have other names at each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Off,
    Prefer,
    Require,
    Chain,
    Name,
}

/// What must come of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A connection that the server calls unencrypted.
    Plain,
    /// A connection that the server calls encrypted.
    Encrypted,
    /// A TLS error with these words in it.
    Refused(&'static str),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// How the client reaches the server.
    pub host: &'static str,
    pub mode: Mode,
    /// Whom the client trusts.
    pub ca: Option<&'static str>,
    pub outcome: Outcome,
}

const fn case(host: &'static str, mode: Mode, ca: Option<&'static str>, outcome: Outcome) -> Case {
    Case { host, mode, ca, outcome }
}

use Mode::{Chain, Name, Off, Prefer, Require};
use Outcome::{Encrypted, Plain, Refused};

const NAME: &str = "localhost";
const ADDRESS: &str = "127.0.0.1";
const CA: Option<&str> = Some("ca.pem");
const STRANGE: Outcome = Refused("does not lead to one in ca_file");

/// For each certificate of a server (its file, its key's file): the cases.
pub const MATRIX: &[(&str, &str, &[Case])] = &[
    (
        "server.pem",
        "server.key",
        &[
            case(NAME, Off, None, Plain),
            case(NAME, Prefer, None, Encrypted),
            case(NAME, Require, None, Encrypted),
            case(NAME, Chain, CA, Encrypted),
            case(NAME, Name, CA, Encrypted),
            case(ADDRESS, Name, CA, Encrypted),
            case(NAME, Name, Some("both-ca.pem"), Encrypted),
            case(NAME, Chain, Some("other-ca.pem"), STRANGE),
            case(NAME, Name, Some("other-ca.pem"), STRANGE),
            case(NAME, Chain, Some("twin-ca.pem"), Refused("not signed by the authority of that name")),
            // Trusted itself, without its authority.
            case(NAME, Name, Some("server.pem"), Encrypted),
        ],
    ),
    (
        "server-dns.pem",
        "server.key",
        &[
            case(NAME, Name, CA, Encrypted),
            case(ADDRESS, Chain, CA, Encrypted),
            case(ADDRESS, Name, CA, Refused("not for host '127.0.0.1'")),
        ],
    ),
    (
        "server-ip.pem",
        "server.key",
        &[
            case(ADDRESS, Name, CA, Encrypted),
            case(NAME, Chain, CA, Encrypted),
            case(NAME, Name, CA, Refused("not for host 'localhost'")),
        ],
    ),
    (
        "server-elsewhere.pem",
        "server.key",
        &[
            case(NAME, Require, None, Encrypted),
            case(NAME, Chain, CA, Encrypted),
            case(NAME, Name, CA, Refused("db.elsewhere.example")),
            // Being trusted itself does not make it this host's.
            case(NAME, Name, Some("server-elsewhere.pem"), Refused("db.elsewhere.example")),
        ],
    ),
    (
        "server-nameless.pem",
        "server.key",
        &[case(NAME, Chain, CA, Encrypted), case(NAME, Name, CA, Refused("names no host"))],
    ),
    (
        "server-other.pem",
        "server.key",
        &[
            case(NAME, Prefer, None, Encrypted),
            case(NAME, Require, None, Encrypted),
            case(NAME, Chain, CA, STRANGE),
            case(NAME, Name, CA, STRANGE),
        ],
    ),
    (
        "server-expired.pem",
        "server.key",
        &[
            case(NAME, Prefer, None, Encrypted),
            case(NAME, Require, None, Encrypted),
            case(NAME, Chain, CA, Refused("has expired")),
            case(NAME, Name, CA, Refused("has expired")),
            case(NAME, Chain, Some("server-expired.pem"), Refused("has expired")),
        ],
    ),
    ("server-early.pem", "server.key", &[case(NAME, Chain, CA, Refused("not valid yet"))]),
    ("server-clients-only.pem", "server.key", &[case(NAME, Chain, CA, Refused("not usable"))]),
    (
        "server-self.pem",
        "server.key",
        &[
            case(NAME, Name, Some("server-self.pem"), Encrypted),
            case(ADDRESS, Name, Some("server-self.pem"), Refused("not for host")),
            case(NAME, Chain, CA, Refused("certificate")),
        ],
    ),
    (
        "server-self-expired.pem",
        "server.key",
        &[
            case(NAME, Require, None, Encrypted),
            case(NAME, Chain, Some("server-self-expired.pem"), Refused("has expired")),
        ],
    ),
    (
        "server-chain.pem",
        "server.key",
        &[case(NAME, Name, CA, Encrypted), case(NAME, Chain, Some("other-ca.pem"), STRANGE)],
    ),
    (
        // X.509 version 1, as MySQL's manual makes them.
        "old-server.pem",
        "rsa.key",
        &[
            case(NAME, Prefer, None, Encrypted),
            case(NAME, Require, None, Encrypted),
            case(NAME, Chain, Some("old-server.pem"), Encrypted),
            case(NAME, Chain, Some("old-ca.pem"), Refused("cannot be judged")),
            case(NAME, Name, Some("old-ca.pem"), Refused("cannot be judged")),
        ],
    ),
];

/// What a server that offers no TLS does.
pub const PLAIN_SERVER: &[Case] = &[
    case(NAME, Off, None, Plain),
    case(NAME, Prefer, None, Plain),
    case(NAME, Require, None, Refused("offers no TLS")),
    case(NAME, Chain, CA, Refused("offers no TLS")),
    case(NAME, Name, CA, Refused("offers no TLS")),
];

impl Case {
    /// The config's files.
    pub fn files(&self) -> TlsFiles {
        TlsFiles { ca_file: self.ca.map(file), ..TlsFiles::default() }
    }

    /// Compares what came with what must come: whether the server calls the connection encrypted, or the words and
    /// the remedy of the TLS error.
    pub fn check(&self, of: &str, came: Result<bool, (String, String)>) {
        match (self.outcome, came) {
            (Plain, Ok(false)) | (Encrypted, Ok(true)) => {}
            (Refused(words), Err((message, remedy))) if message.contains(words) => {
                assert!(!remedy.is_empty(), "{of}: {self:?}: no remedy for {message}");
            }
            (_, came) => panic!("{of}: {self:?} gave {came:?}"),
        }
    }
}
