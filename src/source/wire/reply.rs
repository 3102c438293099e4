//! The server's short answers: ERR, OK and EOF packets, and what may be done about an error by its number.
//!
//! Protocol: `page_protocol_basic_response_packets` of the MySQL internals docs. Numbers: "Server Error Message
//! Reference" of the MySQL manual and "MariaDB Error Codes".

use super::fields::Fields;
use crate::change::Retry;
use crate::change::remedy::{Account, AtSource, Grantee, InConfig, Remedy, Scope};
use crate::source::{SourceError, SourceErrorKind};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{ErrPacket, SqlState};

/// The server wants the client to go on reading: another result follows.
pub const MORE_RESULTS: u16 = 0x0008;

/// An ERR packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// MySQL error number.
    pub code: u16,
    /// SQLSTATE; `HY000` where the server gives none (it gives none before login).
    pub state: String,
    /// The server's words.
    pub message: String,
}

impl Failure {
    /// Reads an ERR packet; `None` when it is none.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let with_state = packet.get(3) == Some(&b'#');
        let form = if with_state { CapabilityFlags::CLIENT_PROTOCOL_41 } else { CapabilityFlags::empty() };
        let Ok(ErrPacket::Error(error)) = ParseBuf(packet).parse::<ErrPacket<'_>>(form) else { return None };
        Some(Self {
            code: error.error_code(),
            state: error.sql_state_ref().map_or("HY000".into(), SqlState::as_str).into_owned(),
            message: error.message_str().into_owned(),
        })
    }

    /// The room's error for this answer. `endpoint` is `name (host:port)`, `user` who is logged in, `secure`
    /// whether under TLS.
    pub fn into_error(self, endpoint: &str, user: &str, secure: bool, doing: &str) -> SourceError {
        let Self { code, state, message } = self;
        let endpoint = endpoint.to_owned();
        match code {
            1045 | 1130 | 1251 | 1275 | 1524 | 1698 | 1862 | 3118 | 3955 | 4151 => SourceErrorKind::Login {
                user: user.to_owned(),
                message,
                remedy: login_remedy(code, user, secure),
            }
            .at(endpoint),
            3159 => SourceErrorKind::Tls { message, remedy: InConfig::SourceTls.into() }.at(endpoint),
            _ => {
                let retry = retry(code, &message, user);
                SourceErrorKind::Server { doing: doing.to_owned(), code, state, message, retry }.at(endpoint)
            }
        }
    }
}

/// What can be done about a refused login.
fn login_remedy(code: u16, user: &str, secure: bool) -> Remedy {
    let change = match code {
        // The server does not tell a wrong password from a connection that is not encrypted as the account
        // demands (REQUIRE SSL, X509, SUBJECT …).
        1045 | 1698 if secure => Account::AllowEncrypted,
        1045 | 1698 => Account::AllowUnencrypted,
        1862 => Account::Expired,
        3118 | 4151 => Account::Unlock,
        3955 => Account::UnlockOrWait,
        1251 | 1275 | 1524 => Account::OtherMethod,
        _ => Account::AllowFromHost,
    };
    Remedy::Account { user: user.to_owned(), change }
}

/// What may be done about MySQL error `code`: the one table for every connection to the source, whatever
/// carried the error. An error that no class names needs somebody who reads the server's words.
pub fn retry(code: u16, message: &str, user: &str) -> Retry {
    match code {
        // Out of connections, memory, threads, disk or temporary space for now.
        1021 | 1037 | 1038 | 1040 | 1041 | 1114 | 1135 | 1203 | 1226 | 1637
        // Going down, starting, killed, or the network broke.
        | 1028 | 1053 | 1079 | 1080 | 1152 | 1156..=1161 | 1184 | 1317 | 1927 | 2002 | 2003 | 2006 | 2013 | 3032 | 3168 | 3169 | 4031
        // Locks and time limits.
        | 1205 | 1206 | 1213 | 1969 | 3024 | 3572
        // The definition changed under a statement.
        | 1412 | 1615 => Retry::AfterBackoff,
        // Galera refuses every command while a node is not in sync.
        1047 if message.contains("WSREP") => Retry::AfterBackoff,
        1044 | 1142 | 1143 | 1227 | 1370 => Retry::fix(grant(message, user)),
        1129 => Retry::fix(AtSource::FlushHosts),
        1153 | 1301 => Retry::fix(Remedy::SetVariable {
variable: "max_allowed_packet",
value: "1073741824",
scope: Scope::Global,
}),
        1461 => Retry::fix(Remedy::SetVariable {
variable: "max_prepared_stmt_count",
value: "1048576",
scope: Scope::Global,
}),
        1820 => Retry::fix(Remedy::Account { user: user.to_owned(), change: Account::Expired }),
        1064 | 1193 | 1231 | 1305 => Retry::fix(AtSource::SeeItself),
        _ => Retry::fix(AtSource::SeeAnswer),
    }
}

/// Names the grant that is missing, as far as the server's words do.
fn grant(message: &str, user: &str) -> Remedy {
    let grant = |privilege: &str, on: String, to: Grantee| Remedy::Grant {
        privileges: vec![privilege.to_owned()],
        on,
        to,
    };
    // 1227: "… you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation"
    let needed = message.split_once(") the ").and_then(|(_, rest)| rest.split_once(" privilege"));
    if let Some((privileges, _)) = needed {
        let first = privileges.split(',').next().unwrap_or(privileges).trim();
        return grant(first, "*.*".to_owned(), Grantee::Named(user.to_owned()));
    }
    // 1142: "SELECT command denied to user 'u'@'h' for table `d`.`t`", 1143 the same with a column.
    let Some((privilege, rest)) = message.split_once(" command denied to user ") else {
        return Remedy::GrantWhatIsMissing { user: user.to_owned(), missing: message.to_owned() };
    };
    // The account as the server knows it, and the object as its kind names it; MySQL leaves out the database.
    let (account, object) = rest.split_once(" for ").unwrap_or((rest, ""));
    let named = account.starts_with('\'');
    let to = if named { Grantee::Account(account.to_owned()) } else { Grantee::Named(user.to_owned()) };
    let name = object.split_once("table ").map_or("", |(_, name)| name.trim());
    let bare = name.trim_matches('\'');
    let on = if name.starts_with('`') {
        name.to_owned()
    } else if let Some((database, table)) = bare.split_once('.') {
        format!("`{database}`.`{table}`")
    } else if name.is_empty() {
        "*.*".to_owned()
    } else {
        format!("`…`.`{bare}`")
    };
    grant(privilege, on, to)
}

/// Status flags of an EOF packet (`fe`, warnings, status), or `None` when the packet is no EOF. A row may start
/// with `fe` too, but is then longer.
pub fn eof(packet: &[u8]) -> Option<Ended> {
    if packet.len() >= 9 {
        return None;
    }
    let mut fields = Fields(packet);
    if fields.u8()? != 0xFE {
        return None;
    }
    let warnings = fields.u16().unwrap_or(0);
    Some(Ended { warnings, status: fields.u16().unwrap_or(0) })
}

/// The same of an OK packet (`00`, affected rows, last insert id, status, warnings).
pub fn ok(packet: &[u8]) -> Option<Ended> {
    let mut fields = Fields(packet);
    if fields.u8()? != 0x00 {
        return None;
    }
    fields.integer()?;
    fields.integer()?;
    let status = fields.u16()?;
    Some(Ended { warnings: fields.u16()?, status })
}

/// How a statement or a result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Number of warnings.
    pub warnings: u16,
    /// Server status flags.
    pub status: u16,
}

impl Ended {
    /// Another result of the same statement follows.
    pub fn more_results(self) -> bool {
        self.status & MORE_RESULTS != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_with_and_without_a_state() {
        let failure = Failure::read(b"\xFF\x7a\x04#42S02Table 'a.b' doesn't exist").unwrap();
        assert_eq!((failure.code, failure.state.as_str()), (1146, "42S02"));
        assert_eq!(failure.message, "Table 'a.b' doesn't exist");
        let failure = Failure::read(b"\xFF\x10\x04Too many connections").unwrap();
        assert_eq!(
            (failure.code, failure.state.as_str(), failure.message.as_str()),
            (1040, "HY000", "Too many connections")
        );
        assert_eq!(Failure::read(b"\xFF\x10"), None);
        assert_eq!(Failure::read(b"\0\0\0"), None);
    }

    #[test]
    fn what_passes_by_itself_is_tried_again_and_the_rest_is_for_the_user() {
        for code in [1040, 1053, 1205, 1213, 1317, 2013, 3024] {
            assert_eq!(retry(code, "", "u"), Retry::AfterBackoff, "{code}");
        }
        assert_eq!(
            retry(1047, "WSREP has not yet prepared node for application use", "u"),
            Retry::AfterBackoff
        );
        for code in [1047, 1064, 1153, 1193, 1236, 65535] {
            assert!(matches!(retry(code, "words", "u"), Retry::AfterFix { .. }), "{code}");
        }
    }

    #[test]
    fn a_missing_privilege_is_named() {
        let denied =
            "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation";
        let told = |code, denied| retry(code, denied, "repl").remedy().to_string();
        assert_eq!(told(1227, denied), "GRANT REPLICATION SLAVE ON *.* TO 'repl'");
        let denied = "SELECT command denied to user 'repl'@'%' for table 'orders'";
        assert_eq!(told(1142, denied), "GRANT SELECT ON `…`.`orders` TO 'repl'@'%'");
        let denied = "SELECT command denied to user 'repl'@'10.0.0.1' for table `shop`.`orders`";
        assert_eq!(told(1142, denied), "GRANT SELECT ON `shop`.`orders` TO 'repl'@'10.0.0.1'");
        let denied = "Access denied for user 'repl'@'%' to database 'shop'";
        assert_eq!(told(1044, denied), format!("GRANT to 'repl' what the server misses: {denied}"));
    }

    #[test]
    fn a_refused_login_is_its_own_error() {
        let failure = Failure { code: 1045, state: "28000".into(), message: "Access denied".into() };
        let error = failure.into_error("shop (db:3306)", "repl", false, "login");
        assert_eq!(error.to_string(), "source shop (db:3306): user 'repl' is refused: Access denied");
    }

    #[test]
    fn a_long_row_that_starts_like_an_eof_is_none() {
        assert_eq!(eof(b"\xFE\x01\0\x0a\0"), Some(Ended { warnings: 1, status: 10 }));
        assert!(eof(b"\xFE\0\0\x0a\0").unwrap().more_results());
        assert_eq!(eof(b"\xFE\0\0\0\x01\0\0\0\0"), None);
        assert_eq!(ok(b"\0\x01\x02\x02\0\x03\0"), Some(Ended { warnings: 3, status: 2 }));
    }
}
