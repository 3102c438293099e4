//! The server's first packet and the client's answer to it (`page_protocol_connection_phase` of the MySQL
//! internals docs).

use super::fields::Fields;
use crate::change::facts::Flavour;
use crate::source::version;
use mysql_common::constants::CapabilityFlags;
use mysql_common::packets::{AuthPlugin, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;

/// Collation the session starts with: `utf8mb4_general_ci`, which every supported server has.
const UTF8MB4_GENERAL_CI: u8 = 45;
/// The version from which `mysql_common` asks for that collation.
const UTF8MB4_SINCE: (u16, u16, u16) = (5, 5, 3);
/// The longest packet the client takes, as told to the server: 1 GiB, MySQL's limit.
const MAX_PACKET_TOLD: u32 = 1 << 30;
/// Bytes of the nonce of `mysql_native_password` and `caching_sha2_password`; a zero byte follows it on the
/// wire.
pub const NONCE: usize = 20;

/// What the server says of itself before login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// `version()` as sent, e.g. `9.7.4` or `5.5.5-10.11.6-MariaDB-log`.
    pub server_version: String,
    /// What the server can do.
    pub capabilities: CapabilityFlags,
    /// Random bytes for the first authentication method.
    pub nonce: Vec<u8>,
    /// The first authentication method; empty when the server names none.
    pub plugin: Vec<u8>,
}

impl Greeting {
    /// Reads a `Protocol::HandshakeV10`.
    ///
    /// # Errors
    /// A sentence about what did not fit.
    pub fn read(packet: &[u8]) -> Result<Self, String> {
        let mut fields = Fields(packet);
        match fields.u8() {
            Some(10) => {}
            Some(other) => {
                return Err(format!(
                    "a greeting of protocol version {other}; this is no MySQL server of our time"
                ));
            }
            None => return Err("an empty greeting".to_owned()),
        }
        Self::fields(fields).ok_or_else(|| "a greeting that is too short".to_owned())
    }

    fn fields(mut fields: Fields<'_>) -> Option<Self> {
        let server_version = String::from_utf8_lossy(fields.until_zero()).into_owned();
        // The id of the connection.
        fields.u32()?;
        let mut nonce = fields.bytes(8)?.to_vec();
        fields.u8()?;
        let low = fields.u16()?;
        // Collation and status: the session sets its own.
        fields.bytes(3)?;
        let high = fields.u16()?;
        let capabilities = CapabilityFlags::from_bits_truncate(u32::from(low) | u32::from(high) << 16);
        let nonce_length = usize::from(fields.u8()?);
        fields.bytes(10)?;
        let second = fields.bytes(nonce_length.saturating_sub(8).max(13)).unwrap_or(fields.0);
        nonce.extend_from_slice(second);
        nonce.truncate(NONCE);
        let rest = fields.0.get(..).unwrap_or_default();
        let plugin = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            Fields(rest).until_zero().to_vec()
        } else {
            Vec::new()
        };
        Some(Self { server_version, capabilities, nonce, plugin })
    }

    /// Family and version, as far as the greeting tells.
    pub fn family(&self) -> (Flavour, u32) {
        version::parse(&self.server_version)
    }

    /// What the session will use: what we want as far as the server has it. `CLIENT_LONG_PASSWORD` is always
    /// set: a MariaDB server does not offer it, and takes its absence for a client that knows MariaDB's own
    /// extensions.
    pub fn agreed(&self, tls: bool) -> CapabilityFlags {
        let wanted = CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_PLUGIN_AUTH
            | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
            | CapabilityFlags::CLIENT_CONNECT_ATTRS
            | CapabilityFlags::CLIENT_LONG_FLAG
            | CapabilityFlags::CLIENT_TRANSACTIONS
            | CapabilityFlags::CLIENT_MULTI_STATEMENTS
            | CapabilityFlags::CLIENT_MULTI_RESULTS
            | CapabilityFlags::CLIENT_PS_MULTI_RESULTS;
        let mut agreed = (wanted & self.capabilities) | CapabilityFlags::CLIENT_LONG_PASSWORD;
        if tls {
            agreed |= CapabilityFlags::CLIENT_SSL;
        }
        agreed
    }
}

/// `Protocol::SSLRequest`: the start of the answer, before TLS begins.
pub fn opening(agreed: CapabilityFlags) -> Vec<u8> {
    written(&SslRequest::new(agreed, MAX_PACKET_TOLD, UTF8MB4_GENERAL_CI))
}

/// `Protocol::HandshakeResponse41`.
pub fn answer(agreed: CapabilityFlags, user: &str, plugin: &[u8], response: &[u8]) -> Vec<u8> {
    // Shown in performance_schema.session_connect_attrs: whose connection it is.
    let attributes = [("program_name", "rowferry"), ("_client_version", env!("CARGO_PKG_VERSION"))];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    written(&HandshakeResponse::new(
        Some(response),
        UTF8MB4_SINCE,
        Some(user.as_bytes()),
        None::<&[u8]>,
        agreed.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH).then(|| AuthPlugin::from_bytes(plugin)),
        agreed,
        agreed.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS).then(|| attributes.into()),
        MAX_PACKET_TOLD,
    ))
}

fn written(packet: &impl MySerialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    packet.serialize(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A greeting as a server writes it.
    pub fn greeting(version: &str, capabilities: u32, plugin: &str) -> Vec<u8> {
        let [a, b, c, d] = capabilities.to_le_bytes();
        let mut packet = vec![10];
        packet.extend_from_slice(version.as_bytes());
        packet.extend_from_slice(b"\0\x2A\0\0\0abcdefgh\0");
        packet.extend_from_slice(&[a, b, 45, 2, 0, c, d, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"ijklmnopqrst\0");
        packet.extend_from_slice(plugin.as_bytes());
        packet.push(0);
        packet
    }

    #[test]
    fn a_greeting_is_read() {
        let read = Greeting::read(&greeting("9.7.4", u32::MAX, "caching_sha2_password")).unwrap();
        assert_eq!(read.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(read.family(), (Flavour::MySql, 90_704));
        assert_eq!(read.plugin, b"caching_sha2_password");
        assert!(!read.agreed(false).contains(CapabilityFlags::CLIENT_SSL));
        assert!(!read.agreed(true).contains(CapabilityFlags::CLIENT_DEPRECATE_EOF));
    }

    #[test]
    fn a_cut_greeting_is_an_error_wherever_it_is_cut() {
        let whole = greeting("5.6.24-log", 0x0008_8000, "");
        for length in 0..42 {
            assert!(Greeting::read(&whole[..length]).is_err(), "{length}");
        }
        assert!(Greeting::read(b"\x09old").unwrap_err().contains("version 9"));
    }

    #[test]
    fn versions_of_both_families_are_understood() {
        for (version, flavour, number) in [
            ("5.5.5-10.11.19-MariaDB-0+deb12u1-log", Flavour::MariaDb, 101_119),
            ("11.4.2-MariaDB", Flavour::MariaDb, 110_402),
            ("8.0.36-28", Flavour::MySql, 80_036),
            ("5.6.24-log", Flavour::MySql, 50_624),
        ] {
            let read = Greeting::read(&greeting(version, 0, "")).unwrap();
            assert_eq!(read.family(), (flavour, number), "{version}");
        }
    }

    #[test]
    fn a_mariadb_server_is_not_told_that_we_know_its_extensions() {
        let read = Greeting::read(&greeting("5.5.5-10.11.19-MariaDB", 0x81BF_F7FE, "mysql_native_password"))
            .unwrap();
        assert!(read.agreed(false).contains(CapabilityFlags::CLIENT_LONG_PASSWORD));
    }
}
