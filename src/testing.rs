//! What tests, benches and fuzz targets may use of the rooms; nothing else uses this. What is named only here is dead in the daemon.
//!
//! What must never happen here: a whole room or module named, behind which the compiler sees no dead code.

pub mod change {
    pub use crate::change::{
        EncodedRows, FilePosition, GtidSet, Position, References, ResultRows, Retry, RowLayout, RowOp,
        RowSpan, RowsEvent, RowsKind, TableMap, TableName, Taken, TargetChange, TargetColumn, TargetName,
        TargetTable, TargetType, XaState,
    };

    pub mod domain {
        pub use crate::change::domain::Domains;
    }

    pub mod facts {
        pub use crate::change::facts::{Flavour, Limit, SourceFacts, TargetKind};
    }

    pub mod policy {
        pub use crate::change::policy::{BadText, KeyDates, NulBytes, Operations, ZeroDates};
    }

    pub mod rows {
        pub use crate::change::rows::ResultColumn;
    }

    pub mod shape {
        pub use crate::change::shape::{Distribution, RowsOf};
    }

    pub mod state {
        pub use crate::change::state::{CatchUpTarget, Checkpoint, ChunkRecord, TableState, Trouble};
    }

    pub mod status {
        pub use crate::change::status::{
            Model, Phase, TablePhase, TableStatus, TaskStatus, Upkeep, Verified,
        };
    }

    pub mod verdict {
        pub use crate::change::verdict::{Difference, Outcome, TableVerdict};
    }
}

pub mod config {
    pub mod types {
        pub use crate::config::types::{
            Selection, SourceEndpoint, SourceTlsMode, TargetEndpoint, TargetTlsMode, TlsFiles,
        };
    }
}

pub mod quote {
    pub use crate::quote::literal;
}

pub mod schema {
    pub use crate::schema::{
        BoundTable, Charset, Column, ColumnDefault, HiddenColumns, Limits, MySqlType, Table, bind,
    };

    pub mod ddl {
        pub use crate::schema::ddl::{SqlMode, beginning, code_change, read};
    }
}

pub mod sink {
    pub use crate::sink::{
        Applier, ApplyError, Compacted, Compactor, Drift, Existing, Mode, Outcome, Owner, Session, SinkError,
        SinkErrorKind, Strategy, Way,
    };

    pub mod catalog {
        pub use crate::sink::catalog::{shape, tables};
    }

    pub mod ddl {
        pub use crate::sink::ddl::{Clear, change, clear, create_schemas, create_table};
    }

    pub mod facts {
        pub use crate::sink::facts::facts;
    }

    pub mod owner {
        pub use crate::sink::owner::Sessions;
    }

    pub mod room {
        pub use crate::sink::room::refused_storage;
    }

    pub mod store {
        pub use crate::sink::store::{Store, Stored, peek, remove};

        pub mod form {
            pub use crate::sink::store::form::LAYOUT;
        }
    }
}

pub mod source {
    pub use crate::source::{Server, SourceError, SourceErrorKind, Wire};

    pub mod binlog {
        pub mod fuzzing {
            pub use crate::source::binlog::fuzzing::events;
        }
    }

    pub mod snapshot {
        pub use crate::source::snapshot::ChunkKey;
    }
}

pub mod status {
    pub use crate::status::Board;

    pub mod words {
        pub use crate::status::words::not_carried;
    }
}

pub mod transform {
    pub use crate::transform::{ColumnMapping, Plan, Policies, TableMapping};

    pub mod fuzzing {
        pub use crate::transform::fuzzing::json;
    }
}
