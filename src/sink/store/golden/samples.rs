//! The values of the golden files: all that a form can hold, so each variant of each type has a line. New ones come last, so that the
//! lines of older files stay beside theirs.

use crate::change::prepared::PreparedXa;
use crate::change::state::{CatchUpTarget, TableState, Trouble};
use crate::change::{CommittedXa, Committer, FilePosition, Position, ReadAgain, TableName, Taken, XaState};
use crate::schema::table::UniqueKey;
use crate::schema::{
    Charset, Column, ColumnDefault, ForeignKey, Generation, HiddenColumns, KeyAction, Limits, MySqlType,
    Table,
};
use std::iter::successors;

const SERVER: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn file(number: u32, offset: u64) -> FilePosition {
    FilePosition { file: format!("binlog.{number:06}").into(), offset }
}

fn position(taken: Taken) -> Position {
    Position {
        server: SERVER.to_owned(),
        file: file(42, 1337),
        file_begun: None,
        taken,
        xa: XaState::default(),
    }
}

fn gtids(text: &str) -> Taken {
    Taken::Gtids(format!("{SERVER}:{text}").parse().unwrap())
}

fn prepared(xid: &str, again: ReadAgain) -> PreparedXa {
    PreparedXa { xid: xid.into(), again }
}

/// Each way of telling what was taken in, without and with all that may stand beside it.
pub fn positions() -> Vec<Position> {
    let mut committed = CommittedXa::default();
    committed.add(&"X'61',X'',1".into(), Committer::Another);
    committed.add(&"X'62',X'0a',1".into(), Committer::Preparer);
    let gtid = prepared("X'63',X'',1", ReadAgain::Gtid(format!("{SERVER}:7").parse().unwrap()));
    let after = ReadAgain::After {
        domains: "0-1-4".parse().unwrap(),
        server: "1".to_owned(),
        file: file(41, u64::from(u32::MAX) + 1),
    };
    let after =
        XaState { prepared: vec![prepared("X'64',X'',1", after)], seen_until: Some(file(43, 4)), committed };
    let from = prepared("X'65',X'',1", ReadAgain::From(file(40, 196)));
    let only =
        |prepared| XaState { prepared: vec![prepared], seen_until: None, committed: CommittedXa::default() };
    vec![
        position(gtids("1-5:7:11-18:blue:4")),
        position(Taken::Domains("0-1-5,7-2-9".parse().unwrap())),
        position(Taken::Files),
        Position { file_begun: Some(1_700_000_000), xa: only(gtid), ..position(gtids("1-6:8")) },
        Position { xa: after, ..position(Taken::Domains("0-1-5".parse().unwrap())) },
        Position { file_begun: Some(u32::MAX), xa: only(from), ..position(Taken::Files) },
    ]
}

fn next_state(state: &TableState) -> Option<TableState> {
    let p0 = position(gtids("1-5"));
    match state {
        TableState::Pending => Some(TableState::Snapshotting { p0 }),
        TableState::Snapshotting { .. } => {
            let p1 = CatchUpTarget { server: SERVER.to_owned(), file: file(42, 9000) };
            Some(TableState::CatchingUp { p0, p1 })
        }
        TableState::CatchingUp { .. } => Some(TableState::Streaming),
        TableState::Streaming => {
            Some(TableState::Aside { side: 7, within: Box::new(TableState::Snapshotting { p0 }) })
        }
        TableState::Aside { .. } => Some(TableState::Parked(Trouble {
            error: "target dw: value too long".to_owned(),
            remedy: "copy the table again".to_owned(),
            since: 1_700_000_000,
            gone: false,
        })),
        TableState::Parked(_) => Some(TableState::LetGo),
        TableState::LetGo => Some(TableState::Paused { from: p0, since: 1_700_000_000 }),
        TableState::Paused { .. } => None,
    }
}

/// One of each.
pub fn states() -> Vec<TableState> {
    successors(Some(TableState::Pending), next_state).collect()
}

fn charset() -> Charset {
    Charset { name: "utf8mb4".to_owned(), collation: "utf8mb4_0900_ai_ci".to_owned() }
}

fn next_type(data_type: &MySqlType) -> Option<MySqlType> {
    let labels = || vec!["small".to_owned(), "it's \"é\"".to_owned()];
    Some(match data_type {
        MySqlType::TinyInt { .. } => MySqlType::SmallInt { unsigned: false },
        MySqlType::SmallInt { .. } => MySqlType::MediumInt { unsigned: true },
        MySqlType::MediumInt { .. } => MySqlType::Int { unsigned: false },
        MySqlType::Int { .. } => MySqlType::BigInt { unsigned: true },
        MySqlType::BigInt { .. } => MySqlType::Decimal { precision: 65, scale: 30 },
        MySqlType::Decimal { .. } => MySqlType::Float,
        MySqlType::Float => MySqlType::Double,
        MySqlType::Double => MySqlType::Bit { bits: 64 },
        MySqlType::Bit { .. } => MySqlType::Year,
        MySqlType::Year => MySqlType::Date,
        MySqlType::Date => MySqlType::Time { fraction: 3, old_format: false },
        MySqlType::Time { .. } => MySqlType::DateTime { fraction: 6, old_format: false },
        MySqlType::DateTime { .. } => MySqlType::Timestamp { fraction: 0, old_format: true },
        MySqlType::Timestamp { .. } => MySqlType::Char { length: 36, charset: charset() },
        MySqlType::Char { .. } => MySqlType::VarChar { length: 255, charset: charset() },
        MySqlType::VarChar { .. } => MySqlType::Text { length_bytes: 4, charset: charset() },
        MySqlType::Text { .. } => MySqlType::Binary { length: 16 },
        MySqlType::Binary { .. } => MySqlType::VarBinary { length: 300 },
        MySqlType::VarBinary { .. } => MySqlType::Blob { length_bytes: 1 },
        MySqlType::Blob { .. } => MySqlType::Enum { labels: labels(), charset: charset() },
        MySqlType::Enum { .. } => MySqlType::Set { labels: labels(), charset: charset() },
        MySqlType::Set { .. } => MySqlType::Json,
        MySqlType::Json => MySqlType::Geometry { kind: "point".to_owned() },
        MySqlType::Geometry { .. } => MySqlType::Vector { dimensions: 1536 },
        MySqlType::Vector { .. } => MySqlType::Unknown { declared: "interval year".to_owned() },
        // Behind those that older golden files have.
        MySqlType::Unknown { .. } => MySqlType::Uuid,
        MySqlType::Uuid => MySqlType::Inet4,
        MySqlType::Inet4 => MySqlType::Inet6,
        MySqlType::Inet6 => return None,
    })
}

fn next_default(default: &ColumnDefault) -> Option<ColumnDefault> {
    match default {
        ColumnDefault::None => Some(ColumnDefault::Null),
        ColumnDefault::Null => Some(ColumnDefault::Literal("it's \\ \"x\"\n".to_owned())),
        ColumnDefault::Literal(_) => Some(ColumnDefault::Expression("CURRENT_TIMESTAMP(6)".to_owned())),
        ColumnDefault::Expression(_) => None,
    }
}

fn column(name: &str, data_type: MySqlType) -> Column {
    Column {
        name: name.to_owned(),
        data_type,
        nullable: true,
        default: ColumnDefault::None,
        generated: false,
        generation: None,
        auto_increment: false,
        limits: Limits::default(),
    }
}

fn definition(name: &str, columns: Vec<Column>) -> Table {
    Table {
        name: TableName::new("shop", name),
        columns,
        primary_key: vec![0],
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        charset: charset(),
        hidden: HiddenColumns::default(),
    }
}

/// One with keys, hidden and generated columns; one with each kind of default; and one for each type.
pub fn definitions() -> Vec<Table> {
    let id = Column {
        nullable: false,
        auto_increment: true,
        limits: Limits { unsigned: true, zerofill: true, digits: None },
        ..column("Id", MySqlType::BigInt { unsigned: true })
    };
    let price = Column {
        limits: Limits { digits: Some((10, 2)), ..Limits::default() },
        ..column("price", MySqlType::Double)
    };
    let generation = Generation { stored: true, expression: "`price` * 2".to_owned() };
    let twice =
        Column { generated: true, generation: Some(generation), ..column("twice", MySqlType::Double) };
    let keyed = Table {
        primary_key: vec![1, 0],
        unique_keys: vec![UniqueKey { name: "by \"price\"".to_owned(), columns: vec![1, 2] }],
        hidden: HiddenColumns { least: 0, most: 1, keys: 1 },
        ..definition("Orders", vec![id, price, twice])
    };
    let defaults = successors(Some(ColumnDefault::None), next_default)
        .map(|default| Column { default, ..column("c", MySqlType::Date) })
        .collect();
    let mut tables = vec![keyed, definition("defaults", defaults)];
    let first = MySqlType::TinyInt { unsigned: false, display_one: true };
    tables.extend(
        successors(Some(first), next_type).map(|data_type| definition("t", vec![column("c", data_type)])),
    );
    let key = |action: &KeyAction| ForeignKey {
        name: "by `c`".to_owned(),
        columns: vec![0],
        parent: TableName::new("shop", "Parents"),
        referenced: vec!["Id".to_owned()],
        on_delete: *action,
        on_update: KeyAction::Nothing,
    };
    let acts = [KeyAction::Nothing, KeyAction::Cascade, KeyAction::SetNull, KeyAction::SetDefault];
    let keys = acts.iter().map(key).collect();
    tables.push(Table {
        foreign_keys: keys,
        ..definition("t", vec![column("c", MySqlType::Int { unsigned: false })])
    });
    tables
}

/// Keys of one column and of several.
pub fn bounds() -> Vec<Vec<String>> {
    vec![vec!["5".to_owned()], vec!["'it''s \\\\ \"é\"'".to_owned(), "X'00ff'".to_owned()]]
}
