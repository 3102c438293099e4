//! The kinds of source, by how a place in their log is told.

use super::mysql::{Mysql, mariadb, mysql56, mysql97};
use tokio::sync::OnceCell;

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MySQL 9.7 with GTIDs.
    Gtids97,
    /// MySQL 9.7 by file positions.
    Files97,
    /// MySQL 5.6 with GTIDs.
    Gtids56,
    /// MySQL 5.6 by file positions.
    Files56,
    /// MariaDB.
    Maria,
}

const FILES_97: [&str; 2] = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
const GTIDS_56: [&str; 3] = ["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"];

impl Kind {
    /// A server of the test's own, with more options.
    pub async fn private(self, options: &[&str]) -> Mysql {
        let (server, own): (_, &[&str]) = match self {
            Self::Gtids97 => ("mysql97", &[]),
            Self::Files97 => ("mysql97", &FILES_97),
            Self::Gtids56 => ("mysql56", &GTIDS_56),
            Self::Files56 => ("mysql56", &[]),
            Self::Maria => ("mariadb", &[]),
        };
        Mysql::start(server, &[own, options].concat()).await
    }

    /// The shared server of this kind.
    pub async fn shared(self) -> &'static Mysql {
        static FILES_97: OnceCell<Mysql> = OnceCell::const_new();
        static GTIDS_56: OnceCell<Mysql> = OnceCell::const_new();
        match self {
            Self::Gtids97 => mysql97().await,
            Self::Files97 => FILES_97.get_or_init(|| self.private(&[])).await,
            Self::Gtids56 => GTIDS_56.get_or_init(|| self.private(&[])).await,
            Self::Files56 => mysql56().await,
            Self::Maria => mariadb().await,
        }
    }

    /// A name for databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gtids97 => "97",
            Self::Files97 => "97_files",
            Self::Gtids56 => "56_gtid",
            Self::Files56 => "56",
            Self::Maria => "maria",
        }
    }
}

/// One test for each kind of source: `on_every_kind!(a_sentence, body)`, where `body` is an async function of a [`Kind`]. With `slow`
/// before the sentence, what differs from another kind only in GTIDs is left to `scripts/soak kinds`.
macro_rules! on_every_kind {
    ($sentence:ident, $body:ident) => {
        on_every_kind!(@ $sentence, $body, cfg(all()));
    };
    (slow $sentence:ident, $body:ident) => {
        on_every_kind!(@ $sentence, $body, ignore = "scripts/soak kinds");
    };
    (@ $sentence:ident, $body:ident, $others:meta) => {
        mod $sentence {
            use crate::harness::Kind;

            #[tokio::test]
            async fn on_mysql_9_7() {
                super::$body(Kind::Gtids97).await;
            }

            #[tokio::test]
            #[$others]
            async fn on_mysql_9_7_by_file_positions() {
                super::$body(Kind::Files97).await;
            }

            #[tokio::test]
            #[$others]
            async fn on_mysql_5_6_with_gtids() {
                super::$body(Kind::Gtids56).await;
            }

            #[tokio::test]
            async fn on_mysql_5_6_by_file_positions() {
                super::$body(Kind::Files56).await;
            }

            #[tokio::test]
            async fn on_mariadb() {
                super::$body(Kind::Maria).await;
            }
        }
    };
}
pub(crate) use on_every_kind;
