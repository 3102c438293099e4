//! The kinds of binlog events, and which of them are understood.
//!
//! Codes as in MySQL's `libs/mysql/binlog/event/binlog_event.h` (`Log_event_type`).
//!
//! What must never happen here: a kind that is not listed being taken for one that may be skipped.

/// Length of the common header of every event (binlog version 4).
use crate::change::remedy::{Because, Connect, Remedy, Restart, Upgrade};

pub const HEADER_LENGTH: usize = 19;
/// Type code of `QUERY_EVENT`.
pub const QUERY: u8 = 2;
/// Type code of `TRANSACTION_PAYLOAD_EVENT`.
pub const PAYLOAD: u8 = 40;
/// Type code of MariaDB's `GTID_LIST_EVENT`.
pub const GTID_LIST: u8 = 163;
/// Type code of `XA_PREPARE_LOG_EVENT`.
pub const XA_PREPARE: u8 = 38;
/// `LOG_EVENT_ARTIFICIAL_F`: made up by the sending server, not in the file.
pub const FLAG_ARTIFICIAL: u16 = 0x20;
/// `LOG_EVENT_IGNORABLE_F`: who does not know the kind may skip it.
pub const FLAG_IGNORABLE: u16 = 0x80;

/// What to do with an event, by its type code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// `FORMAT_DESCRIPTION_EVENT`: how the following events are laid out.
    FormatDescription,
    /// `ROTATE_EVENT`: the next file.
    Rotate,
    /// `STOP_EVENT`: the server shut down orderly.
    Stop,
    /// `PREVIOUS_GTIDS_LOG_EVENT`: what earlier files hold.
    PreviousGtids,
    /// `GTID_LOG_EVENT`.
    Gtid,
    /// `ANONYMOUS_GTID_LOG_EVENT`.
    AnonymousGtid,
    /// `GTID_TAGGED_LOG_EVENT`.
    GtidTagged,
    /// `QUERY_EVENT`.
    Query,
    /// `EXECUTE_LOAD_QUERY_EVENT`: a LOAD DATA statement, a query with a longer header.
    ExecuteLoadQuery,
    /// `XID_EVENT`: commit.
    Xid,
    /// `XA_PREPARE_LOG_EVENT`.
    XaPrepare,
    /// `TABLE_MAP_EVENT`.
    TableMap,
    /// A row event, version 1 or 2.
    Rows(RowsCode),
    /// `HEARTBEAT_LOG_EVENT`.
    Heartbeat,
    /// `HEARTBEAT_LOG_EVENT_V2`.
    HeartbeatV2,
    /// `TRANSACTION_PAYLOAD_EVENT`: a compressed transaction.
    Payload,
    /// MariaDB's `GTID_EVENT`.
    MariaDbGtid,
    /// MariaDB's `GTID_LIST_EVENT`: what earlier files hold.
    GtidList,
    /// MariaDB's `QUERY_COMPRESSED_EVENT`.
    CompressedQuery,
    /// MariaDB's row events with their images compressed.
    CompressedRows(RowsCode),
    /// Carries nothing for us: `ROWS_QUERY`, and the values (`INTVAR`, `RAND`, `USER_VAR`) and file blocks
    /// that go with a statement, which is judged itself; also any kind marked as ignorable.
    Skip,
    /// Not understood.
    Refused,
}

/// A row event's operation and header version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsCode {
    /// What it does.
    pub kind: crate::change::RowsKind,
    /// Version 2 has a block of extra data in its header.
    pub version_two: bool,
}

impl EventKind {
    /// The kind of a type code with these header flags.
    pub fn of(code: u8, flags: u16) -> Self {
        use crate::change::RowsKind::{Delete, Insert, PartialUpdate, Update};
        let rows = |kind, version_two| Self::Rows(RowsCode { kind, version_two });
        let compressed = |kind, version_two| Self::CompressedRows(RowsCode { kind, version_two });
        match code {
            2 => Self::Query,
            3 => Self::Stop,
            4 => Self::Rotate,
            // INTVAR, APPEND_BLOCK, DELETE_FILE, RAND, USER_VAR, BEGIN_LOAD_QUERY, IGNORABLE, ROWS_QUERY
            5 | 9 | 11 | 13 | 14 | 17 | 28 | 29 => Self::Skip,
            15 => Self::FormatDescription,
            16 => Self::Xid,
            18 => Self::ExecuteLoadQuery,
            19 => Self::TableMap,
            23 => rows(Insert, false),
            24 => rows(Update, false),
            25 => rows(Delete, false),
            27 => Self::Heartbeat,
            30 => rows(Insert, true),
            31 => rows(Update, true),
            32 => rows(Delete, true),
            33 => Self::Gtid,
            34 => Self::AnonymousGtid,
            35 => Self::PreviousGtids,
            XA_PREPARE => Self::XaPrepare,
            39 => rows(PartialUpdate, true),
            PAYLOAD => Self::Payload,
            41 => Self::HeartbeatV2,
            42 => Self::GtidTagged,
            // ANNOTATE_ROWS, BINLOG_CHECKPOINT, START_ENCRYPTION (the sender decrypts)
            160 | 161 | 164 => Self::Skip,
            GTID_LIST => Self::GtidList,
            162 => Self::MariaDbGtid,
            165 => Self::CompressedQuery,
            166 => compressed(Insert, false),
            167 => compressed(Update, false),
            168 => compressed(Delete, false),
            169 => compressed(Insert, true),
            170 => compressed(Update, true),
            171 => compressed(Delete, true),
            _ if flags & FLAG_IGNORABLE != 0 => Self::Skip,
            _ => Self::Refused,
        }
    }

    /// Whether a compressed transaction may hold an event of this kind.
    pub fn may_be_compressed(self) -> bool {
        match self {
            Self::Query
            | Self::ExecuteLoadQuery
            | Self::Xid
            | Self::XaPrepare
            | Self::TableMap
            | Self::Rows(_)
            | Self::Skip => true,
            Self::FormatDescription
            | Self::Rotate
            | Self::Stop
            | Self::PreviousGtids
            | Self::Gtid
            | Self::AnonymousGtid
            | Self::GtidTagged
            | Self::MariaDbGtid
            | Self::GtidList
            | Self::CompressedQuery
            | Self::CompressedRows(_)
            | Self::Heartbeat
            | Self::HeartbeatV2
            | Self::Payload
            | Self::Refused => false,
        }
    }
}

/// A type code's name for messages: the server's own, with the number.
pub fn name(code: u8) -> String {
    let name = match code {
        0 => "UNKNOWN",
        1 => "START_V3",
        2 => "QUERY",
        3 => "STOP",
        4 => "ROTATE",
        5 => "INTVAR",
        9 => "APPEND_BLOCK",
        11 => "DELETE_FILE",
        13 => "RAND",
        14 => "USER_VAR",
        15 => "FORMAT_DESCRIPTION",
        16 => "XID",
        17 => "BEGIN_LOAD_QUERY",
        18 => "EXECUTE_LOAD_QUERY",
        19 => "TABLE_MAP",
        23 => "WRITE_ROWS_V1",
        24 => "UPDATE_ROWS_V1",
        25 => "DELETE_ROWS_V1",
        26 => "INCIDENT",
        27 => "HEARTBEAT",
        28 => "IGNORABLE",
        29 => "ROWS_QUERY",
        30 => "WRITE_ROWS",
        31 => "UPDATE_ROWS",
        32 => "DELETE_ROWS",
        33 => "GTID",
        34 => "ANONYMOUS_GTID",
        35 => "PREVIOUS_GTIDS",
        36 => "TRANSACTION_CONTEXT",
        37 => "VIEW_CHANGE",
        38 => "XA_PREPARE",
        39 => "PARTIAL_UPDATE_ROWS",
        40 => "TRANSACTION_PAYLOAD",
        41 => "HEARTBEAT_V2",
        42 => "GTID_TAGGED",
        160 => "ANNOTATE_ROWS",
        161 => "BINLOG_CHECKPOINT",
        162 => "GTID of MariaDB",
        GTID_LIST => "GTID_LIST",
        164 => "START_ENCRYPTION",
        165 => "QUERY_COMPRESSED",
        166 => "WRITE_ROWS_COMPRESSED_V1",
        167 => "UPDATE_ROWS_COMPRESSED_V1",
        168 => "DELETE_ROWS_COMPRESSED_V1",
        169 => "WRITE_ROWS_COMPRESSED",
        170 => "UPDATE_ROWS_COMPRESSED",
        171 => "DELETE_ROWS_COMPRESSED",
        _ => "of unknown type",
    };
    format!("{name} ({code})")
}

/// Why a kind outside the positive list stops the stream, and what the user can do.
pub fn refusal(code: u8) -> (&'static str, Remedy) {
    match code {
        26 => (
            "the source reports that changes are missing from its log",
            Remedy::CopyTask(Because::LostChanges),
        ),
        36 | 37 => (
            "group replication writes it, and this version does not follow its view changes",
            Connect::OutsideGroup.or(Restart::After),
        ),
        _ => (
            "it is not on the list of understood events, and skipping it could lose changes",
            Upgrade::Rowferry.or(Restart::After),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_kinds_and_those_marked_ignorable_are_taken() {
        let taken: Vec<u8> = (0..=255).filter(|code| EventKind::of(*code, 0) != EventKind::Refused).collect();
        assert_eq!(
            taken,
            [
                2, 3, 4, 5, 9, 11, 13, 14, 15, 16, 17, 18, 19, 23, 24, 25, 27, 28, 29, 30, 31, 32, 33, 34,
                35, 38, 39, 40, 41, 42, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171
            ]
        );
        assert_eq!(EventKind::of(200, FLAG_IGNORABLE), EventKind::Skip);
        assert_eq!(EventKind::of(26, 0), EventKind::Refused);
    }

    #[test]
    fn a_refusal_has_a_reason_and_a_remedy() {
        for code in 0..=255 {
            let (why, remedy) = refusal(code);
            assert!(!why.is_empty() && !remedy.to_string().is_empty());
            assert!(name(code).contains(&code.to_string()));
        }
    }
}
