use super::super::course::PassedOver;
use super::super::translator::Translation;
use super::*;
use crate::change::remedy::AtSource;
use crate::change::{ComputedRow, Computing, Doubt, TableNames, Taken, XaState};
use crate::config::types::{BadText, KeyDates, NulBytes, ZeroDates};

/// No table is carried: nothing is translated.
struct Nothing;

impl Translator for Nothing {
    async fn translate(
        &mut self,
        _: &mut Tables,
        _: &StatementEvent,
        _: &PassedOver,
        _: &Position,
    ) -> Result<Translation, TaskError> {
        Ok(Translation::default())
    }

    fn quarantines(&self, _: &TableName) -> bool {
        false
    }

    fn key_rules(&self, _: &TableName) -> crate::transform::cascade::KeyRules {
        unreachable!("no table is carried")
    }

    fn accepts_cascade(&self, _: &str) -> bool {
        false
    }

    fn copies(&self) -> bool {
        true
    }

    fn cascades_are_silent(&self) -> bool {
        false
    }

    fn doubted(&self, _: &Tables, _: &DoubtfulEvent, _: &PassedOver) -> Option<TaskError> {
        None
    }

    async fn pass_over(
        &self,
        _: &Tables,
        _: &DoubtfulEvent,
        _: &PassedOver,
        _: &Position,
    ) -> Result<(), TaskError> {
        Ok(())
    }

    async fn instead(
        &mut self,
        _: &TaskError,
        _: &Tables,
        _: Option<u32>,
    ) -> Result<Option<(TableName, Option<TableState>)>, TaskError> {
        Ok(None)
    }

    async fn compute(
        &mut self,
        _: &Computing,
    ) -> Result<Option<Result<Vec<ComputedRow>, String>>, TaskError> {
        Ok(None)
    }

    fn always_convergent(&self, _: &TableName) -> bool {
        false
    }
}

fn at(offset: u64) -> FilePosition {
    FilePosition { file: "binlog.000001".into(), offset }
}

/// A side stream that joined between a doubt and its transaction's end would carry what the main stream has heard of and the side
/// stream has not: its table would be taken over as if nothing had happened to it.
#[tokio::test]
async fn nobody_is_met_between_a_doubt_and_the_end_of_its_transaction() {
    let position = Position {
        server: "a server".to_owned(),
        file: at(10),
        file_begun: None,
        taken: Taken::Files,
        xa: XaState::default(),
    };
    let mut builder = Builder::new(
        Tables::new(Vec::new(), None, std::collections::BTreeMap::new(), TableNames::EXACT),
        Nothing,
        Policies {
            zero_dates: ZeroDates::Error,
            key_dates: KeyDates::Error,
            nul_bytes: NulBytes::Error,
            bad_text: BadText::Error,
        },
        Operations { insert: true, update: true, delete: true, alter_table: true },
        BatchLimits { rows: 10, bytes: 1000 },
        position,
    );
    let doubt = Doubt {
        kind: "statement_dml",
        why: String::new(),
        statement: String::new(),
        remedy: AtSource::KeepBinlogs.into(),
        also: Vec::new(),
    };
    let table = TableName::new("shop", "item");
    let affected = Affected::Tables(vec![table]);
    let doubtful =
        DoubtfulEvent { doubt, affected, made: None, gtid: None, begun: Some(at(20)), position: at(20) };
    assert!(!builder.is_inside());
    builder.take(Change::Doubtful(doubtful)).await.unwrap();
    assert!(builder.is_inside());
    let boundary = Boundary { gtid: None, file: at(30), committed_micros: 0, xa: None };
    builder.take(Change::Commit(boundary)).await.unwrap();
    assert!(!builder.is_inside());
}
