//! Rows of one transaction that are kept until its end is known, because it is an XA one or has savepoints: in memory, or the
//! older part of them in a file.
//!
//! The file is unlinked from the start, so nothing of it outlives the process. It holds one record an event:
//! `[table u32][kind u8][length of column set u32][of that after u32][of rows u64]` and these three.
//!
//! What must never happen here: rows handed out in another order than they came in, or after they were taken back.

use super::refusal::Refusal;
use crate::change::remedy::InConfig;
use crate::change::{FilePosition, References, RowsEvent, RowsKind, TableMap};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Bytes of a record before its variable parts.
const HEAD: u64 = 4 + 2 + 4 + 4 + 8;
/// Bytes read from a file at a time.
const READ_BYTES: usize = 256 << 10;
/// What an event in memory holds beside its bytes.
const EVENT_BYTES: usize = 192;

/// Rows in order.
#[derive(Debug, Default)]
pub struct HeldRows {
    /// Every table they are of, as their records count them.
    tables: Vec<Arc<TableMap>>,
    /// The oldest of them.
    file: Option<Spilled>,
    /// Those after them.
    memory: Vec<RowsEvent>,
    memory_bytes: usize,
    /// What their records would take.
    memory_records: u64,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    /// Bytes of records in it.
    length: u64,
}

/// A place between two events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes of records before it, in the file or once they are there.
    bytes: u64,
}

impl HeldRows {
    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.file.as_ref().is_none_or(|spilled| spilled.length == 0)
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether a part of them lies in a file.
    pub fn is_spilled(&self) -> bool {
        self.file.is_some()
    }

    /// Adds an event.
    pub fn push(&mut self, event: RowsEvent) {
        self.memory_bytes = self.memory_bytes.saturating_add(weight(&event));
        self.memory_records = self.memory_records.saturating_add(record_bytes(&event));
        self.memory.push(event);
    }

    /// The place after what there is.
    pub fn mark(&self) -> Mark {
        let spilled = self.file.as_ref().map_or(0, |spilled| spilled.length);
        Mark { bytes: spilled.saturating_add(self.memory_records) }
    }

    /// Takes back what came after a mark.
    pub fn rollback_to(&mut self, mark: Mark) -> Result<(), Refusal> {
        let mut at = self.file.as_ref().map_or(0, |spilled| spilled.length);
        if let Some(spilled) = self.file.as_mut().filter(|spilled| spilled.length > mark.bytes) {
            // What is written next goes to the file's end.
            let cut = spilled.file.set_len(mark.bytes);
            cut.and_then(|()| spilled.file.seek(SeekFrom::Start(mark.bytes))).map_err(failed)?;
            spilled.length = mark.bytes;
            self.memory.clear();
        } else {
            let keep = self.memory.iter().take_while(|event| {
                let before = at < mark.bytes;
                at = at.saturating_add(record_bytes(event));
                before
            });
            let keep = keep.count();
            self.memory.truncate(keep);
        }
        self.memory_bytes = self.memory.iter().map(weight).sum();
        self.memory_records = self.memory.iter().map(record_bytes).sum();
        Ok(())
    }

    /// Moves what is in memory into the file. That is up to the whole cap the first time, and a disk that is behind
    /// makes the writer wait: meanwhile other tasks run on another thread. What is read back comes in small pieces.
    pub fn spill(&mut self) -> Result<(), Refusal> {
        match Handle::try_current() {
            Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(|| self.write_out())
            }
            _ => self.write_out(),
        }
    }

    fn write_out(&mut self) -> Result<(), Refusal> {
        let mut spilled = match self.file.take() {
            Some(spilled) => spilled,
            None => Spilled { file: tempfile::tempfile().map_err(failed)?, length: 0 },
        };
        {
            let mut to = io::BufWriter::with_capacity(READ_BYTES, &mut spilled.file);
            for event in self.memory.drain(..) {
                spilled.length = spilled.length.saturating_add(record_bytes(&event));
                write(&mut to, &mut self.tables, &event).map_err(failed)?;
            }
            to.flush().map_err(failed)?;
        }
        self.memory = Vec::new();
        (self.memory_bytes, self.memory_records) = (0, 0);
        self.file = Some(spilled);
        Ok(())
    }

    /// Starts handing them out.
    pub fn into_reader(self) -> Result<HeldReader, Refusal> {
        let spilled = match self.file {
            Some(Spilled { mut file, length }) => {
                file.rewind().map_err(failed)?;
                Some((BufReader::with_capacity(READ_BYTES, file), length))
            }
            None => None,
        };
        Ok(HeldReader { tables: self.tables, spilled, memory: self.memory.into_iter() })
    }
}

/// Hands rows out in order.
#[derive(Debug)]
pub struct HeldReader {
    tables: Vec<Arc<TableMap>>,
    /// The file and the bytes left in it.
    spilled: Option<(BufReader<File>, u64)>,
    memory: std::vec::IntoIter<RowsEvent>,
}

impl HeldReader {
    /// The next event, as one that ends at `place`.
    pub fn next(&mut self, place: &FilePosition) -> Result<Option<RowsEvent>, Refusal> {
        if let Some((file, left)) = &mut self.spilled {
            if *left > 0 {
                let event = read(file, &self.tables, place).map_err(failed)?;
                *left = left.saturating_sub(record_bytes(&event));
                return Ok(Some(event));
            }
            self.spilled = None;
        }
        Ok(self.memory.next().map(|event| RowsEvent { position: place.clone(), ..event }))
    }
}

fn weight(event: &RowsEvent) -> usize {
    EVENT_BYTES + event.columns.len() + event.columns_after.len() + event.rows.len()
}

fn record_bytes(event: &RowsEvent) -> u64 {
    let parts = [event.columns.len(), event.columns_after.len(), event.rows.len()];
    parts.iter().fold(HEAD, |sum, part| sum.saturating_add(u64::try_from(*part).unwrap_or(u64::MAX)))
}

fn write(to: &mut impl Write, tables: &mut Vec<Arc<TableMap>>, event: &RowsEvent) -> io::Result<()> {
    let known = tables.iter().rposition(|table| Arc::ptr_eq(table, &event.table));
    let table = known.unwrap_or_else(|| {
        tables.push(event.table.clone());
        tables.len() - 1
    });
    let kind = match event.kind {
        RowsKind::Insert => 0_u8,
        RowsKind::Update => 1,
        RowsKind::Delete => 2,
        RowsKind::PartialUpdate => 3,
    };
    let short = |length: usize| u32::try_from(length).map_err(|_| io::Error::other("a part is too long"));
    to.write_all(&short(table)?.to_le_bytes())?;
    let references = match event.references {
        References::Followed => 0_u8,
        References::Logged => 1,
        References::Ignored => 2,
    };
    to.write_all(&[kind, references])?;
    to.write_all(&short(event.columns.len())?.to_le_bytes())?;
    to.write_all(&short(event.columns_after.len())?.to_le_bytes())?;
    to.write_all(&u64::try_from(event.rows.len()).unwrap_or(u64::MAX).to_le_bytes())?;
    to.write_all(&event.columns)?;
    to.write_all(&event.columns_after)?;
    to.write_all(&event.rows)
}

fn read(from: &mut impl Read, tables: &[Arc<TableMap>], place: &FilePosition) -> io::Result<RowsEvent> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "it does not hold what was written");
    let table = usize::try_from(u32::from_le_bytes(array(from)?)).map_err(|_| wrong())?;
    let [kind, references] = array(from)?;
    let kind = match [kind] {
        [0] => RowsKind::Insert,
        [1] => RowsKind::Update,
        [2] => RowsKind::Delete,
        [3] => RowsKind::PartialUpdate,
        _ => return Err(wrong()),
    };
    let references = match references {
        0 => References::Followed,
        1 => References::Logged,
        2 => References::Ignored,
        _ => return Err(wrong()),
    };
    let columns = u64::from(u32::from_le_bytes(array(from)?));
    let columns_after = u64::from(u32::from_le_bytes(array(from)?));
    let rows = u64::from_le_bytes(array(from)?);
    let mut part = |length: u64| {
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| wrong())?];
        from.read_exact(&mut bytes)?;
        Ok::<_, io::Error>(Bytes::from(bytes))
    };
    Ok(RowsEvent {
        table: tables.get(table).ok_or_else(wrong)?.clone(),
        kind,
        columns: part(columns)?,
        columns_after: part(columns_after)?,
        rows: part(rows)?,
        references,
        position: place.clone(),
    })
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[allow(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn failed(error: io::Error) -> Refusal {
    let folder = tempfile::env::temp_dir();
    let why = format!(
        "rows of an XA transaction, or after a savepoint, cannot be kept in a file in {}: {error}",
        folder.display()
    );
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Refusal::Full(format!("{why}; {}", InConfig::SpillRoom.or(InConfig::SpillDir)))
        }
        _ => Refusal::event(why, InConfig::SpillRights.or(InConfig::SpillDir)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableName;
    use proptest::prelude::*;

    fn place(offset: u64) -> FilePosition {
        FilePosition { file: "b.000001".into(), offset }
    }

    fn table(id: u64) -> Arc<TableMap> {
        Arc::new(TableMap {
            table_id: id,
            name: TableName::new("d", format!("t{id}")),
            types: vec![3],
            metadata: vec![0],
            nullable: vec![0],
            optional: Bytes::new(),
        })
    }

    fn event(table: &Arc<TableMap>, number: u8) -> RowsEvent {
        let kinds = [RowsKind::Insert, RowsKind::Update, RowsKind::Delete, RowsKind::PartialUpdate];
        let kind = kinds[usize::from(number) % 4];
        let after = if kind.has_both_images() { Bytes::from_static(&[0xfe]) } else { Bytes::new() };
        let rows = vec![number; usize::from(number) % 5].into();
        let columns = Bytes::from_static(&[1]);
        RowsEvent {
            table: table.clone(),
            kind,
            columns,
            columns_after: after,
            rows,
            references: [References::Followed, References::Logged, References::Ignored]
                [usize::from(number) % 3],
            position: place(u64::from(number)),
        }
    }

    type Told = (u64, RowsKind, Bytes, Bytes, Bytes, References, FilePosition);

    fn told(event: RowsEvent) -> Told {
        let RowsEvent { table, kind, columns, columns_after, rows, references, position } = event;
        (table.table_id, kind, columns, columns_after, rows, references, position)
    }

    fn all(held: HeldRows) -> Vec<Told> {
        let mut reader = held.into_reader().unwrap();
        std::iter::from_fn(|| reader.next(&place(99)).unwrap()).map(told).collect()
    }

    #[derive(Debug, Clone)]
    enum Act {
        Push(u8),
        Mark,
        Back(usize),
        Spill,
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_was_put_in_and_not_taken_back(
            acts in proptest::collection::vec(
                prop_oneof![
                    4 => any::<u8>().prop_map(Act::Push),
                    1 => Just(Act::Mark),
                    1 => any::<usize>().prop_map(Act::Back),
                    1 => Just(Act::Spill),
                ],
                0..60,
            )
        ) {
            let tables = [table(1), table(2)];
            let (mut held, mut model, mut marks) = (HeldRows::default(), Vec::new(), Vec::new());
            for act in acts {
                match act {
                    Act::Push(number) => {
                        let event = event(&tables[usize::from(number) % 2], number);
                        model.push(told(RowsEvent { position: place(99), ..event.clone() }));
                        held.push(event);
                    }
                    Act::Mark => marks.push((held.mark(), model.len())),
                    Act::Back(which) if !marks.is_empty() => {
                        marks.truncate(which % marks.len() + 1);
                        let (mark, length) = *marks.last().unwrap();
                        held.rollback_to(mark).unwrap();
                        model.truncate(length);
                    }
                    Act::Back(_) => {}
                    Act::Spill => held.spill().unwrap(),
                }
                prop_assert_eq!(held.is_empty(), model.is_empty());
            }
            prop_assert_eq!(all(held), model);
        }
    }

    #[test]
    fn what_is_spilled_is_no_longer_in_memory() {
        let mut held = HeldRows::default();
        let table = table(1);
        (0..100).for_each(|number| held.push(event(&table, number)));
        assert!(held.memory_bytes() > 100 * EVENT_BYTES && !held.is_spilled());
        held.spill().unwrap();
        assert_eq!((held.memory_bytes(), held.is_spilled(), held.is_empty()), (0, true, false));
        assert_eq!(all(held).len(), 100);
    }
}
