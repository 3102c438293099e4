//! The reader against statements as servers log them, one table a topic: text and what it must say.

mod classes;
mod evolving;
mod steps;
mod texts;

use super::effect::{Effect, effect};
use super::statement::Place;
use super::*;
use crate::change::Session;
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::schema::charset::{Defaults, charset};
use crate::schema::table::UniqueKey;
use crate::schema::{Column, ColumnDefault, Table, column_type};

/// MySQL 9.7's defaults.
fn mysql() -> SqlMode {
    SqlMode::from_bits(0x20_0000).with_flavour(Flavour::MySql).with_explicit_timestamps(true)
}

fn mariadb() -> SqlMode {
    SqlMode::from_bits(0x20_0000).with_flavour(Flavour::MariaDb).with_explicit_timestamps(true)
}

fn mariadb_in(sql_mode: u64) -> SqlMode {
    SqlMode::from_bits(sql_mode).with_flavour(Flavour::MariaDb)
}

/// A session of MySQL 9.7's defaults.
fn told() -> Session {
    Session { utf8mb4_collation: Some(255), ..Session::default() }
}

fn name(name: &Name) -> String {
    match &name.database {
        Some(database) => format!("{database}.{}", name.table),
        None => name.table.clone(),
    }
}

fn names(list: &[Name]) -> String {
    list.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn declared(column: &ColumnDefinition) -> String {
    let mut text = format!("{} {}", column.name, column.declared);
    match column.nullable {
        Some(true) => text.push_str(" null"),
        Some(false) => text.push_str(" notnull"),
        None => {}
    }
    let default = match &column.default {
        DeclaredDefault::None => String::new(),
        DeclaredDefault::Null => " =null".into(),
        DeclaredDefault::Text(value) => format!(" ='{value}'"),
        DeclaredDefault::Number(value) => format!(" ={value}"),
        DeclaredDefault::Hex(value) => format!(" =0x{value}"),
        DeclaredDefault::Bit(value) => format!(" =0b{value}"),
        DeclaredDefault::Now(digits) => format!(" =now({digits})"),
        DeclaredDefault::OldTimestamp => " =old".into(),
        DeclaredDefault::Expression(value) => format!(" =expr<{value}>"),
    };
    text.push_str(&default);
    for (set, word) in [
        (column.on_update, " onupdate"),
        (column.generated.is_some(), " generated"),
        (column.auto_increment, " auto"),
        (column.key == InlineKey::Primary, " primary"),
        (column.key == InlineKey::Unique, " unique"),
        (column.cascades, " cascades"),
    ] {
        if set {
            text.push_str(word);
        }
    }
    text
}

fn step(step: &AlterStep) -> String {
    let placed = |place: &Place| match place {
        Place::Default => String::new(),
        Place::First => " first".into(),
        Place::After(column) => format!(" after {column}"),
    };
    let key = |columns: &Option<Vec<String>>| columns.as_ref().map_or("?".into(), |names| names.join(","));
    let maybe = |maybe: &bool| if *maybe { "? " } else { "" };
    let or_default = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".into());
    match step {
        AlterStep::AddColumn { column, place, if_not_exists } => {
            format!("add {}{}{}", maybe(if_not_exists), declared(column), placed(place))
        }
        AlterStep::ChangeColumn { from, column, place, if_exists } => {
            format!("change {}{from} {}{}", maybe(if_exists), declared(column), placed(place))
        }
        AlterStep::RenameColumn { from, to, if_exists } => {
            format!("rename {}{from} {to}", maybe(if_exists))
        }
        AlterStep::DropColumn { name, if_exists } => format!("drop {}{name}", maybe(if_exists)),
        AlterStep::SetDefault { column, default } => format!("default {column} {default:?}"),
        AlterStep::AddPrimaryKey { columns } => format!("primary {}", key(columns)),
        AlterStep::DropPrimaryKey => "drop primary".into(),
        AlterStep::AddUnique { name, columns } => format!("unique {} {}", or_default(name), key(columns)),
        AlterStep::DropIndex { name, .. } => format!("drop index {name}"),
        AlterStep::DropForeignKey { name } => format!("drop foreign key {name}"),
        AlterStep::RenameIndex { from, to } => format!("rename index {from} {to}"),
        AlterStep::ConvertCharset { charset, collation } => {
            format!("convert {} {}", or_default(charset), or_default(collation))
        }
        AlterStep::DefaultCharset { charset, collation } => {
            format!("charset {} {}", or_default(charset), or_default(collation))
        }
        AlterStep::Other(Clause::Engine(engine))
            if effect(&Clause::Engine(engine.clone())) == Effect::Rows =>
        {
            format!("engine {engine}")
        }
        AlterStep::Other(clause) if effect(clause) == Effect::Nothing => format!("~{}", clause.words()),
        AlterStep::Other(clause) => format!("MOVES {}", clause.words()),
        AlterStep::AddPeriod { columns } => format!("period {}", columns.join(",")),
        AlterStep::AddCascade { name } => format!("cascade {}", or_default(name)),
    }
}

fn alter_text(alter: &AlterTable) -> String {
    let mut parts = vec![format!("{}{}", name(&alter.table), if alter.ignore { " ignore" } else { "" })];
    parts.extend(alter.steps.iter().map(step));
    parts.extend(alter.rename_to.iter().map(|to| format!("to {}", name(to))));
    parts.extend(alter.other_table.iter().map(|other| format!("with {}", name(other))));
    parts.join("; ")
}

/// A statement in one line.
fn line(statement: &Statement) -> String {
    match statement {
        Statement::AlterTable(alter) => format!("alter {}", alter_text(alter)),
        Statement::CreateIndex(alter) | Statement::DropIndex(alter) => {
            format!("index {}", alter_text(alter))
        }
        Statement::RenameTable(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(from, to)| format!("{}>{}", name(from), name(to))).collect();
            format!("rename {}", pairs.join(" "))
        }
        Statement::CreateTable(create) => {
            let mut text = format!("create {}", name(&create.table));
            for (set, word) in [
                (create.temporary, " temporary"),
                (create.if_not_exists, " ifnotexists"),
                (create.or_replace, " orreplace"),
                (create.select, " select"),
                (create.start_transaction, " transaction"),
            ] {
                if set {
                    text.push_str(word);
                }
            }
            text + &create.like.as_ref().map_or(String::new(), |like| format!(" like {}", name(like)))
        }
        Statement::DropTable { tables, temporary, if_exists } => {
            let temporary = if *temporary { " temporary" } else { "" };
            format!("drop {}{temporary}{}", names(tables), if *if_exists { " ifexists" } else { "" })
        }
        Statement::TruncateTable(table) => format!("truncate {}", name(table)),
        Statement::OptimizeTable(tables) => format!("optimize {}", names(tables)),
        Statement::RepairTable(tables) => format!("repair {}", names(tables)),
        Statement::Dml { kind, tables } => {
            format!("{kind:?} {}", tables.as_ref().map_or("?".into(), |tables| names(tables)))
        }
        Statement::Harmless(kind) => format!("harmless {kind}"),
        Statement::Unknown { .. } => "unknown".into(),
        other => format!("{other:?}"),
    }
}

/// Reads every text and compares; says all that differ.
fn check(mode: SqlMode, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(sql, expected)| {
            let statement = read(sql, mode);
            let found = line(&statement);
            (found != *expected)
                .then(|| format!("{sql}\n  expected {expected}\n  found    {found}\n  {statement:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn table(columns: &[(&str, &str, bool)], primary_key: &[usize]) -> Table {
    let defaults = charset("utf8mb4", None);
    Table {
        name: TableName::new("shop", "t"),
        columns: columns
            .iter()
            .map(|(name, declared, nullable)| Column {
                name: (*name).into(),
                data_type: column_type::parse(declared, &defaults),
                nullable: *nullable,
                default: ColumnDefault::None,
                generated: false,
                generation: None,
                auto_increment: false,
                limits: column_type::limits(declared),
            })
            .collect(),
        primary_key: primary_key.to_vec(),
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        hidden: crate::schema::HiddenColumns::default(),
        charset: defaults,
    }
}
