//! `TABLE_MAP_EVENT`: which table the following row events mean, and the wire types of its columns.
//!
//! The same table map comes before every statement's rows, so what was read once is found again by its
//! bytes: an unchanged table is the same `Arc` throughout the stream, which also lets a consumer keep its
//! plan by pointer.
//!
//! Layout after `libs/mysql/binlog/event/rows_event.h` (`Table_map_event`).

use super::cursor::{Cursor, Malformed};
use super::selected::{FILE_NAME, SelectedTables};
use crate::change::{TableMap, TableName};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// A table map as far as anybody is interested in it.
#[derive(Clone, Debug)]
pub enum Mapped {
    /// Rows of this table are carried.
    Selected(Arc<TableMap>),
    /// Rows of this table are dropped unseen.
    Unselected,
}

/// How many tables are remembered; a source with more pays with reading their maps again.
const REMEMBERED: usize = 4096;
/// The id of a row event that only ends a statement.
pub const DUMMY_ID: u64 = 0x00ff_ffff;

/// The table maps in force, and those read before.
#[derive(Debug)]
pub struct TableMaps {
    selected: SelectedTables,
    /// Maps of the current statement. Few, so they are searched in order.
    open: Vec<(u64, Mapped)>,
    /// By table id: the event's bytes and what they mean.
    known: HashMap<u64, (Box<[u8]>, Mapped)>,
}

impl TableMaps {
    /// No maps yet.
    pub fn new(selected: SelectedTables) -> Self {
        Self { selected, open: Vec::new(), known: HashMap::new() }
    }

    /// The tables that are carried.
    pub fn selected(&self) -> &SelectedTables {
        &self.selected
    }

    /// Takes in a table map event. `short_id` is true for the 4-byte ids of very old servers' events.
    pub fn open(&mut self, body: &Bytes, short_id: bool) -> Result<(), Malformed> {
        let mut at = Cursor::new(body);
        let id = at.uint(if short_id { 4 } else { 6 }, "table id")?;
        let mapped = match self.known.get(&id) {
            Some((bytes, mapped)) if **bytes == **body => mapped.clone(),
            _ => {
                let mapped = read(id, at, &self.selected)?;
                if self.known.len() >= REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(id, (Box::from(&**body), mapped.clone()));
                mapped
            }
        };
        match self.open.iter_mut().find(|(open, _)| *open == id) {
            Some(entry) => entry.1 = mapped,
            None => self.open.push((id, mapped)),
        }
        Ok(())
    }

    /// The map with this id in the current statement.
    pub fn find(&self, id: u64) -> Option<&Mapped> {
        self.open.iter().find(|(open, _)| *open == id).map(|(_, mapped)| mapped)
    }

    /// The statement ended: its maps are no longer valid.
    pub fn close(&mut self) {
        self.open.clear();
    }
}

fn read(id: u64, mut at: Cursor<'_>, selected: &SelectedTables) -> Result<Mapped, Malformed> {
    at.u16("flags")?;
    let database = name(&mut at, "database name")?;
    let table = name(&mut at, "table name")?;
    if !selected.contains(&database, &table) {
        return Ok(Mapped::Unselected);
    }
    // Whose rows these are hangs on the server's version.
    if [&database, &table].iter().any(|name| name.starts_with(FILE_NAME)) {
        return Err(Malformed::new(format!("it names {database}.{table} by its file")));
    }
    let columns = at.packed_length("number of columns")?;
    let types = at.read(columns, "column types")?.to_vec();
    let metadata_length = at.packed_length("length of metadata")?;
    let block = at.take(metadata_length, "metadata")?;
    let metadata = metadata(&types, &block)?;
    let nullable = at.read(columns.div_ceil(8), "NULL flags")?.to_vec();
    let optional = Bytes::copy_from_slice(&at.rest());
    let name = TableName { database, table };
    Ok(Mapped::Selected(Arc::new(TableMap { table_id: id, name, types, metadata, nullable, optional })))
}

/// `[length u8][name][00]`. Names are UTF-8, whatever the session's character set.
fn name(at: &mut Cursor<'_>, what: &str) -> Result<String, Malformed> {
    // A name has at most 64 characters; MariaDB and MySQL both write the length as a packed number.
    let length = at.packed_length(what)?;
    let text = std::str::from_utf8(at.read(length, what)?)
        .map_err(|_| Malformed::new(format!("its {what} is not UTF-8")))?;
    if at.u8(what)? != 0 {
        return Err(Malformed::new(format!("its {what} is not terminated")));
    }
    Ok(text.to_owned())
}

/// Splits the metadata block by column. How many bytes a type has is the server's
/// `Field::do_save_field_metadata` (documented at `Table_map_event`).
fn metadata(types: &[u8], block: &Bytes) -> Result<Vec<u16>, Malformed> {
    let mut at = Cursor::new(block);
    let mut all = Vec::with_capacity(types.len());
    for code in types {
        all.push(match code {
            // DECIMAL(old), TINY, SHORT, LONG, NULL, TIMESTAMP, LONGLONG, INT24, DATE, TIME, DATETIME, YEAR, NEWDATE
            0..=3 | 6..=14 => 0,
            // FLOAT, DOUBLE, TIMESTAMP2, DATETIME2, TIME2, MariaDB's compressed BLOB, VECTOR, JSON, BLOBs, GEOMETRY
            4 | 5 | 17..=19 | 140 | 242 | 245 | 249..=252 | 255 => u16::from(at.u8("metadata")?),
            // VARCHAR, BIT, MariaDB's compressed VARCHAR, NEWDECIMAL, ENUM, SET, VAR_STRING, STRING
            15 | 16 | 141 | 246..=248 | 253 | 254 => at.u16("metadata")?,
            unknown => return Err(Malformed::new(format!("column type {unknown} is not known"))),
        });
    }
    if at.remaining() > 0 {
        return Err(Malformed::new("its metadata is longer than its columns need"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
