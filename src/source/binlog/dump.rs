//! Asking a server for its binlog: session variables, the replica's registration, and the dump command.
//!
//! Commands after the client/server protocol: `COM_REGISTER_SLAVE`, `COM_BINLOG_DUMP`, `COM_BINLOG_DUMP_GTID`; the set's encoding
//! after the server's `Gtid_set::encode` (`sql/rpl_gtid_set.cc`; tags since 8.3).

use super::frame::Checksum;
use crate::change::facts::Flavour;
use crate::change::remedy::{AtSource, Connect, Remedy, Scope};
use crate::change::{GtidSet, Position, Retry, Taken};
use crate::source::wire::Wire;
use crate::source::wire::reply::Failure;
use crate::source::{SourceError, SourceErrorKind};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

const COM_BINLOG_DUMP: u8 = 0x12;
const COM_REGISTER_SLAVE: u8 = 0x15;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;
/// Heartbeats with the whole offset and not its lower 32 bits (`USE_HEARTBEAT_EVENT_V2`). The neighbouring flag 4
/// must stay off: on 8.3 and later it hides tagged transactions.
const FLAG_HEARTBEAT_V2: u16 = 2;
/// A replica that says 4 understands GTID events and everything else that MariaDB 10.0 and later write.
const MARIADB_CAPABILITY: u8 = 4;
/// The error number of everything that goes wrong while a server reads its log for us.
const ER_SOURCE_FATAL_ERROR_READING_BINLOG: u16 = 1236;

/// What a session that streams has to know of its server.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The checksum that the server adds to events it makes up itself.
    pub checksum: Checksum,
    /// The server's number and the lower 32 bits of the session's (the log has no more), as it tells them itself: a proxy greets
    /// with numbers of its own.
    pub own: (u32, u32),
    /// The id to stream under.
    pub server_id: u32,
}

/// Prepares the session. `wanted` is the id to stream under, or 0 for a random one that neither the server nor, where it shows
/// them, a replica that is registered with it uses. Old and new names of the variables are both set: servers before 8.0.26 know
/// only the old ones.
pub async fn prepare(wire: &mut Wire, heartbeat: Duration, wanted: u32) -> Result<Opened, SourceError> {
    let label = wire.label().to_owned();
    answered(label, "preparing to read the log", prepare_patiently(wire, heartbeat, wanted)).await
}

async fn prepare_patiently(wire: &mut Wire, heartbeat: Duration, wanted: u32) -> Result<Opened, SourceError> {
    // The period is in nanoseconds; the server refuses none and more than it can count.
    let period = heartbeat.clamp(Duration::from_millis(1), Duration::from_secs(4_294_967)).as_nanos();
    let uuid = random_uuid();
    let set = format!(
        "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum, \
         @master_heartbeat_period = {period}, @source_heartbeat_period = {period}, \
         @slave_uuid = '{uuid}', @replica_uuid = '{uuid}', @mariadb_slave_capability = {MARIADB_CAPABILITY}"
    );
    let mut script =
        vec![set.as_str(), "SELECT @source_binlog_checksum, @@GLOBAL.server_id, CONNECTION_ID()"];
    // MariaDB shows its replicas only to who may administer them (REPLICATION MASTER ADMIN, 10.5), which is not worth asking
    // for: by chance a number is taken once in a billion times.
    if wanted == 0 && wire.family().flavour == Flavour::MySql {
        script.push(wire.family().replicas_query());
    }
    let answers = wire.script(&script).await?;
    let told = answers.get(1).and_then(|rows| rows.first()).map(Vec::as_slice).unwrap_or_default();
    let number =
        |value: Option<&Option<Bytes>>| std::str::from_utf8(value?.as_deref()?).ok()?.parse::<u64>().ok();
    let checksum = match told.first() {
        Some(Some(name)) if name.eq_ignore_ascii_case(b"CRC32") => Checksum::Crc32,
        Some(Some(name)) if name.eq_ignore_ascii_case(b"NONE") => Checksum::None,
        _ => return Err(wire.protocol("binlog_checksum is neither CRC32 nor NONE")),
    };
    let server = number(told.get(1)).and_then(|id| u32::try_from(id).ok());
    let session = number(told.get(2)).and_then(|id| u32::try_from(id & 0xffff_ffff).ok());
    let (Some(server), Some(session)) = (server, session) else {
        return Err(wire.protocol("no number of the server or of the session"));
    };
    let replicas = answers.get(2).into_iter().flatten();
    let mut taken: BTreeSet<u64> = replicas.filter_map(|row| number(row.first())).collect();
    taken.insert(u64::from(server));
    Ok(Opened { checksum, own: (server, session), server_id: free_id(wanted, &taken) })
}

/// The id to stream under.
fn free_id(wanted: u32, taken: &BTreeSet<u64>) -> u32 {
    if wanted != 0 {
        return wanted;
    }
    // High numbers, where people put none.
    let free = std::iter::repeat_with(|| u32::try_from(random() & 0x3fff_ffff).unwrap_or(0) | 0x4000_0000)
        .find(|id| !taken.contains(&u64::from(*id)));
    free.unwrap_or(0x4000_0000)
}

/// Registers as a replica, so that operators see the stream (`SHOW REPLICAS`) and others choose other ids.
pub async fn register(wire: &mut Wire, server_id: u32) -> Result<(), SourceError> {
    let label = wire.label().to_owned();
    let registering = async {
        wire.send_command(&register_command(server_id)).await?;
        wire.read_packet().await
    };
    let packet = answered(label, "registering as a replica", registering).await?;
    if packet.first() == Some(&0) {
        return Ok(());
    }
    Err(wire.server_error("register as a replica", &packet))
}

/// Asks for everything after `start`. On MariaDB that is by its place where it names a file, else by its domains.
///
/// # Errors
/// `SourceErrorKind::Unsupported` when the position cannot be asked for in the protocol, or is not of this family of servers.
pub async fn start(wire: &mut Wire, server_id: u32, start: &Position) -> Result<(), SourceError> {
    let command = match (&start.taken, wire.family().flavour) {
        (Taken::Gtids(have), Flavour::MySql) => gtid_dump_command(server_id, have),
        (Taken::Domains(have), Flavour::MariaDb) => {
            // A place says exactly where to go on, GTIDs do not: numbers of a domain need not rise (gtid_strict_mode is off by
            // default), and the server then sends transactions again or leaves some out.
            let place = start.file.offset.max(super::frame::FIRST_EVENT);
            let by_place = is_by_place(start);
            if !by_place {
                let sql = format!(
                    "SET @slave_connect_state = '{have}', @slave_gtid_strict_mode = 0, \
                     @slave_gtid_ignore_duplicates = 0"
                );
                let label = wire.label().to_owned();
                answered(label, "telling the server where to go on", wire.execute(&sql)).await?;
            }
            let (file, place) =
                if by_place { (&*start.file.file, place) } else { ("", super::frame::FIRST_EVENT) };
            file_dump_command(server_id, file, place)
        }
        (Taken::Files, Flavour::MySql) => {
            file_dump_command(server_id, &start.file.file, start.file.offset.max(super::frame::FIRST_EVENT))
        }
        (Taken::Gtids(_) | Taken::Files, Flavour::MariaDb) => {
            return Err(other_family(wire, "MariaDB", start));
        }
        (Taken::Domains(_), Flavour::MySql) => return Err(other_family(wire, "MySQL", start)),
    };
    let Some(command) = command else {
        return Err(SourceErrorKind::Unsupported {
            what: format!("{} lies beyond the 4 GiB of a file that can be asked for", start.file),
            remedy: AtSource::TurnOnGtids.and(Remedy::copy_task()),
        }
        .at(wire.label()));
    };
    wire.send_command(&command).await
}

/// A server may look through many files for the first one to send before it says a word.
pub const PATIENCE_AT_START: Duration = Duration::from_secs(60);

/// An answer that a server which is well gives at once. Nothing else notices one that has stopped while its machine runs: the
/// stream is not listened to meanwhile.
pub(super) async fn answered<T>(
    label: String,
    doing: &str,
    work: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    tokio::time::timeout(PATIENCE_AT_START, work).await.unwrap_or_else(|_| {
        let seconds = PATIENCE_AT_START.as_secs();
        Err(SourceErrorKind::Connection {
            doing: doing.into(),
            source: std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {seconds} s"),
            ),
        }
        .at(label))
    })
}

/// One of the first packets after [`start`], from a server that was asked for heartbeats this far apart.
pub async fn first(wire: &mut Wire, heartbeat: Duration) -> Result<Bytes, SourceError> {
    match tokio::time::timeout(PATIENCE_AT_START, wire.read_packet()).await {
        Ok(packet) => packet,
        Err(_) => Err(SourceErrorKind::Silent {
            seconds: PATIENCE_AT_START.as_secs(),
            heartbeat_seconds: heartbeat.as_secs(),
        }
        .at(wire.label())),
    }
}

/// Whether MariaDB is asked to go on at a place, and not after GTIDs: when there is one, and the command has room for it.
pub fn is_by_place(start: &Position) -> bool {
    !start.file.file.is_empty() && u32::try_from(start.file.offset).is_ok()
}

fn other_family(wire: &Wire, family: &str, start: &Position) -> SourceError {
    SourceErrorKind::Unsupported {
        what: format!(
            "the task follows a log with another kind of GTIDs ({start}), and this server is {family}"
        ),
        remedy: Connect::SameFamily.or(Remedy::copy_task()),
    }
    .at(wire.label())
}

/// Asks for a file from its start.
pub async fn start_file(wire: &mut Wire, server_id: u32, file: &str) -> Result<(), SourceError> {
    let Some(command) = file_dump_command(server_id, file, super::frame::FIRST_EVENT) else {
        return Err(wire.protocol("the start of a file has more than 32 bits"));
    };
    wire.send_command(&command).await
}

/// `[position u32][flags u16][server id u32][file]`; `None` when the position has more than 32 bits.
fn file_dump_command(server_id: u32, file: &str, offset: u64) -> Option<Vec<u8>> {
    let mut command = vec![COM_BINLOG_DUMP];
    command.extend(u32::try_from(offset).ok()?.to_le_bytes());
    // No flags: of the old servers this is for, none knows FLAG_HEARTBEAT_V2, and MariaDB gives 2 another meaning.
    command.extend(0_u16.to_le_bytes());
    command.extend(server_id.to_le_bytes());
    command.extend(file.as_bytes());
    Some(command)
}

fn register_command(server_id: u32) -> Vec<u8> {
    let host = b"rowferry";
    let mut command = vec![COM_REGISTER_SLAVE];
    command.extend(server_id.to_le_bytes());
    command.push(u8::try_from(host.len()).unwrap_or(0));
    command.extend(host);
    // No user, no password, no port; recovery rank and source id are not used.
    command.extend([0; 2 + 2 + 4 + 4]);
    command
}

fn gtid_dump_command(server_id: u32, have: &GtidSet) -> Option<Vec<u8>> {
    let mut command = vec![COM_BINLOG_DUMP_GTID];
    command.extend(FLAG_HEARTBEAT_V2.to_le_bytes());
    command.extend(server_id.to_le_bytes());
    // No file name, and the offset of every file's first event: the set decides.
    command.extend(0_u32.to_le_bytes());
    command.extend(super::frame::FIRST_EVENT.to_le_bytes());
    let set = encode_set(have);
    command.extend(u32::try_from(set.len()).ok()?.to_le_bytes());
    command.extend(set);
    Some(command)
}

/// `[number of sources]` and per source `[uuid][tag][number of intervals]([start][end])…`. With a tag anywhere the
/// tagged form is used: the count moves up one byte, between two marks, and each source has
/// `[length of tag, doubled][tag]`. Older servers know only the plain form.
fn encode_set(set: &GtidSet) -> Vec<u8> {
    let tagged = set.intervals().any(|(_, tag, _)| !tag.is_empty());
    let count = u64::try_from(set.intervals().count()).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let head = if tagged { 1 << 56 | count << 8 | 1 } else { count };
    bytes.extend(head.to_le_bytes());
    for (source, tag, intervals) in set.intervals() {
        bytes.extend(source.0);
        if tagged {
            // A variable-length number below 128 is itself doubled; a tag has at most 32 letters.
            bytes.push(u8::try_from(tag.len()).unwrap_or(0) << 1);
            bytes.extend(tag.as_bytes());
        }
        bytes.extend(u64::try_from(intervals.len()).unwrap_or(u64::MAX).to_le_bytes());
        for (start, end) in intervals {
            bytes.extend(start.to_le_bytes());
            bytes.extend(end.to_le_bytes());
        }
    }
    bytes
}

/// The error an ERR packet of the dump means. `position` is where the stream is.
pub fn failure(wire: &Wire, packet: &[u8], position: String) -> SourceError {
    let doing = "stream the binlog";
    let Some(failure) = Failure::read(packet) else { return wire.server_error(doing, packet) };
    if failure.code != ER_SOURCE_FATAL_ERROR_READING_BINLOG {
        return wire.server_error(doing, packet);
    }
    let endpoint = wire.label().to_owned();
    let Failure { code, state, message } = failure;
    match refused_reading(&message) {
        Reading::Purged => SourceErrorKind::Purged { position, message }.at(endpoint),
        Reading::Other(retry) => {
            SourceErrorKind::Server { doing: doing.to_owned(), code, state, message, retry }.at(endpoint)
        }
    }
}

/// Whether an ERR packet of the dump says that the file ends in the middle of an event: so MariaDB leaves its log when it dies
/// while it writes. (MySQL cuts the end off when it is started again.)
pub fn is_cut_off(wire: &Wire, packet: &[u8]) -> bool {
    wire.family().flavour == Flavour::MariaDb
        && packet.first() == Some(&0xff)
        && Failure::read(packet).is_some_and(|failure| {
            failure.code == ER_SOURCE_FATAL_ERROR_READING_BINLOG
                && failure.message.contains("truncated in the middle of event")
        })
}

/// What error 1236 is about; the number says nothing, only its words do.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    /// What we need is no longer there.
    Purged,
    /// Something else.
    Other(Retry),
}

fn refused_reading(message: &str) -> Reading {
    let has = |part: &str| message.contains(part);
    if has("purged")
        || has("Could not find first log file")
        || has("could not find next log")
        || has("Could not find GTID state requested by slave")
        || has("requested start GTID")
        || has("impossible position")
        || has("position > file size")
    {
        return Reading::Purged;
    }
    Reading::Other(if has("more GTIDs than") || has("not in the master's binlog") {
        Retry::fix(Connect::Complete.or(Remedy::copy_task()))
    } else if has("same server_uuid") || has("same server_id") || has("Connection was killed") {
        // Ours are random, so the next one will differ.
        Retry::AfterBackoff
    } else if has("max_allowed_packet") {
        Retry::fix(Remedy::SetVariable {
            variable: "max_allowed_packet",
            value: "1073741824",
            scope: Scope::Global,
        })
    } else if has("crc check") || has("bogus data") || has("truncated in the middle") {
        Retry::fix(AtSource::FlushDamaged.and(Remedy::copy_task()))
    } else if has("not open") {
        Retry::fix(AtSource::TurnOnLog)
    } else if has("GTID_MODE") || has("gtid_mode") {
        Retry::fix(AtSource::TurnOnGtids)
    } else {
        Retry::fix(AtSource::SeeErrorLog)
    })
}

/// Different for every stream: a server ends the dump of whoever comes with the same one.
fn random_uuid() -> crate::change::Uuid {
    let mut bytes = [0; 16];
    let (high, low) = bytes.split_at_mut(8);
    high.copy_from_slice(&random().to_le_bytes());
    low.copy_from_slice(&random().to_le_bytes());
    crate::change::Uuid(bytes)
}

/// A random number, from the seed that the standard library takes from the system for its hash maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000-0000-0000-0000-0000000000aa";
    const B: &str = "00000000-0000-0000-0000-0000000000bb";

    fn numbers(values: &[u64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn uuid(last: u8) -> Vec<u8> {
        let mut bytes = vec![0; 15];
        bytes.push(last);
        bytes
    }

    #[test]
    fn a_set_without_tags_is_encoded_in_the_plain_form() {
        let set: GtidSet = format!("{A}:1-5:7,{B}:9").parse().unwrap();
        let mut want = numbers(&[2]);
        want.extend(uuid(0xaa));
        want.extend(numbers(&[2, 1, 6, 7, 8]));
        want.extend(uuid(0xbb));
        want.extend(numbers(&[1, 9, 10]));
        assert_eq!(encode_set(&set), want);
        assert_eq!(encode_set(&GtidSet::default()), numbers(&[0]));
    }

    #[test]
    fn a_set_with_a_tag_is_encoded_in_the_tagged_form() {
        let set: GtidSet = format!("{A}:1-5:blue:7").parse().unwrap();
        let mut want = vec![1, 2, 0, 0, 0, 0, 0, 1];
        want.extend(uuid(0xaa));
        want.push(0);
        want.extend(numbers(&[1, 1, 6]));
        want.extend(uuid(0xaa));
        want.extend([8, b'b', b'l', b'u', b'e']);
        want.extend(numbers(&[1, 7, 8]));
        assert_eq!(encode_set(&set), want);
    }

    #[test]
    fn the_dump_command_names_no_file() {
        let command = gtid_dump_command(0x0102_0304, &GtidSet::default()).unwrap();
        let mut want = vec![0x1e, 2, 0, 4, 3, 2, 1, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0];
        want.extend([0; 8]);
        assert_eq!(command, want);
        assert_eq!(register_command(1).len(), 1 + 4 + 1 + 8 + 12);
    }

    #[test]
    fn error_1236_is_told_apart_by_its_words() {
        for purged in [
            "Cannot replicate because the source purged required binary logs. Replicate the missing transactions",
            "The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged binary logs",
            "Could not find first log file name in binary log index file",
        ] {
            assert_eq!(refused_reading(purged), Reading::Purged);
        }
        let same =
            "A replica with the same server_uuid/server_id as this replica has connected to the source";
        assert_eq!(refused_reading(same), Reading::Other(Retry::AfterBackoff));
        let Reading::Other(Retry::AfterFix { remedy }) =
            refused_reading("Replica has more GTIDs than the source has, using the source's SERVER_UUID.")
        else {
            panic!("no remedy")
        };
        assert!(remedy.to_string().contains("never had transactions"));
        for (words, expected) in [
            (
                "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source; the first event",
                "SET GLOBAL max_allowed_packet",
            ),
            (
                "event read from binlog did not pass crc check; the first event 'b.000001' at 4",
                "the file is damaged",
            ),
            ("bogus data in log event; the first event 'b.000001' at 4", "the file is damaged"),
            ("binlog truncated in the middle of event; consider out of disk space", "the file is damaged"),
            ("Binary log is not open", "log_bin"),
            (
                "The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = OFF",
                "gtid_mode = ON",
            ),
        ] {
            let Reading::Other(Retry::AfterFix { remedy }) = refused_reading(words) else {
                panic!("no remedy: {words}")
            };
            assert!(remedy.to_string().contains(expected), "{words}: {remedy}");
        }
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random(), random());
        assert_ne!(random_uuid(), random_uuid());
    }
}
