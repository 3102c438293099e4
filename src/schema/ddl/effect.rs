//! The table of effects: what a part of a statement does to rows that are there, beside what row events say.
//!
//! A statement is harmless only by proof. Each line here says why a part passes; whatever is not proven does
//! [`Rows`](Effect::Rows). The effects of new column types are looked up in `transform::ddl::retype`, which needs the types of
//! both sides; those of added columns in `transform::ddl::fill`.
//!
//! What must never happen here: a line without its reason.

use super::clause::Clause;

/// What a part of a statement does without a row event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Rows and values stay what they are, and so does the definition as far as it is known here.
    Nothing,
    /// The definition changes in a way that is followed exactly.
    Definition,
    /// Values of existing rows change, or may; by what kind of change.
    Values(Changed),
    /// Rows come, go, or change, or may.
    Rows,
}

/// How values change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Some may not fit any more.
    Narrowed,
    /// Labels keep their text and get other numbers.
    Relabelled,
    /// Characters may not exist in the new character set.
    Recoded,
    /// They become something else.
    Converted,
    /// Trailing blanks that the session sees in CHAR become part of the value.
    Padded,
}

/// What a clause does, unless the statement says IGNORE, under which any clause may drop rows.
pub fn effect(clause: &Clause) -> Effect {
    match clause {
        // New partitions are empty (RANGE, LIST; MariaDB leaves rows of a DEFAULT partition where they are, seen on 10.11), or
        // rows are dealt out anew over partitions of which each value has one (HASH, KEY).
        Clause::AddPartition | Clause::CoalescePartition => Effect::Nothing,
        // Every value has a place, so no row can be left out: the server moves a row, or fails when it stood in the wrong
        // partition. Where values have no place the row goes without a word (seen on 5.6, 9.7, MariaDB for LIST; on 9.7 for a
        // RANGE table into which EXCHANGE … WITHOUT VALIDATION had brought such a row).
        Clause::ReorganizePartition { takes_all: true } => Effect::Nothing,
        Clause::ReorganizePartition { takes_all: false } | Clause::RebuildPartition => Effect::Rows,
        // Copies row by row into the new form and fails on one that has no place there.
        Clause::PartitionBy | Clause::RemovePartitioning | Clause::UpgradePartitioning => Effect::Nothing,
        // They read, or rebuild each partition as it is (seen with misplaced rows on 9.7: OPTIMIZE keeps them).
        Clause::AnalyzePartition | Clause::CheckPartition | Clause::OptimizePartition => Effect::Nothing,
        // Rows of a damaged or wrong partition may be moved or given up.
        Clause::RepairPartition => Effect::Rows,
        Clause::DropPartition
        | Clause::TruncatePartition
        | Clause::ExchangePartition
        | Clause::ConvertPartition
        | Clause::ConvertTable
        | Clause::DiscardTablespace
        | Clause::ImportTablespace => Effect::Rows,
        // Copies into another engine's memory, for queries.
        Clause::Secondary => Effect::Nothing,
        // Rows that were deleted are then kept, or go.
        Clause::SystemVersioning => Effect::Rows,
        // Takes away a name; the columns stay.
        Clause::DropPeriod => Effect::Nothing,
        // A statement that finds a row in the way of a constraint fails, unless it says IGNORE.
        Clause::Index
        | Clause::AlterIndex
        | Clause::ForeignKey
        | Clause::Check
        | Clause::DropCheck
        | Clause::AlterCheck => Effect::Nothing,
        // `SELECT *` of the source sees more or less; the log always has the column.
        Clause::Visibility => Effect::Nothing,
        // A rebuild copies each row as it is; columns that are computed on the way are looked at by themselves.
        Clause::Force | Clause::OrderBy => Effect::Nothing,
        // How the statement goes about it.
        Clause::Keys | Clause::Validation | Clause::LockWait | Clause::InPlace => Effect::Nothing,
        // From another engine into InnoDB rows are copied; from InnoDB into another what is rolled back stays, or all is gone
        // with a restart, without a word in the log.
        Clause::Engine(engine) if engine.eq_ignore_ascii_case("InnoDB") => Effect::Nothing,
        Clause::Engine(_) => Effect::Rows,
        // Which rows the table shows is another.
        Clause::Union | Clause::Connection => Effect::Rows,
        // How rows are stored: see the list that the reader takes them from.
        Clause::Option(_) => Effect::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_proven_passes() {
        let innodb = Clause::Engine("innodb".into());
        for passes in [&Clause::AddPartition, &innodb, &Clause::ReorganizePartition { takes_all: true }] {
            assert_eq!(effect(passes), Effect::Nothing, "{passes:?}");
        }
        let memory = Clause::Engine("MEMORY".into());
        for stops in [
            &Clause::ReorganizePartition { takes_all: false },
            &Clause::RebuildPartition,
            &Clause::RepairPartition,
            &Clause::ExchangePartition,
            &Clause::SystemVersioning,
            &memory,
        ] {
            assert_eq!(effect(stops), Effect::Rows, "{stops:?}");
        }
    }
}
