//! What only the source can work out (its time zones, its functions, what it stores in a column), asked of it as values.
//!
//! A translation that misses an answer names the [`Question`]; the task has the source answer it and translates again.

use super::Session;

/// A question, to be put in a session set as the one that issued the statement was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// That session.
    pub session: Session,
    /// What is asked.
    pub asked: Asked,
    /// The collation (or character set) that string literals get, where it is not that of the session.
    pub literals: Option<Literals>,
    /// The answer hangs on a setting of the very server on which the statement was first logged (its `SYSTEM` time zone).
    pub same_server: bool,
}

/// Which string literals are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literals {
    /// Those of this collation.
    Collation(String),
    /// Those of this character set, with the collation that the server has for it.
    Charset(String),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The values of expressions.
    Values(Vec<String>),
    /// What a variable of a column's type holds when an expression is stored in it. MariaDB alone has variables with the types
    /// of columns outside of routines; storing there is what storing in a column is.
    Stored {
        /// The type, as a column declares it.
        data_type: String,
        /// What is stored.
        expression: String,
        /// The forms in which the variable `v` is wanted, under the time zone UTC.
        shown: Vec<String>,
    },
}

/// Generated columns of rows of which the log leaves them out, to be computed from the rest of the row. MariaDB alone leaves any out, and
/// alone has variables with the types of columns: an expression that is stored in one is what a column would hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computing {
    /// The collation that string literals of the expressions have.
    pub collation: String,
    /// Statements, each of which gives as many rows of values as it is about.
    pub statements: Vec<String>,
}

/// The values of one row as text; `None` is NULL.
pub type ComputedRow = Vec<Option<Vec<u8>>>;

/// The type of a value, as far as storing it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A whole number.
    Integer,
    /// An exact number with its decimal places.
    Decimal,
    /// A double; its text may be cut.
    Real,
    /// Text.
    Text,
    /// Bytes without a character set.
    Bytes,
    /// A date.
    Date,
    /// A time.
    Time,
    /// A date with a time.
    DateTime,
    /// A JSON document.
    Json,
    /// Another.
    Other,
}

/// A value in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredValue {
    /// Its type.
    pub kind: ValueKind,
    /// Its text in UTF-8, or its bytes; `None` is NULL.
    pub text: Option<Vec<u8>>,
}

/// The values asked for, in order; or why the source has none, as a clause.
pub type Answer = Result<Vec<AnsweredValue>, String>;

/// The answers that were had.
#[derive(Clone, Debug, Default)]
pub struct Answers(Vec<(Question, Answer)>);

impl Answers {
    /// The answer to a question, if it was had.
    pub fn get(&self, question: &Question) -> Option<&Answer> {
        self.0.iter().find(|(asked, _)| asked == question).map(|(_, answer)| answer)
    }

    /// Keeps an answer.
    pub fn add(&mut self, question: Question, answer: Answer) {
        self.0.push((question, answer));
    }
}
