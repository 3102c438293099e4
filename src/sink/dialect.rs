//! What the connected target understands, found by asking it: nothing here is concluded from a version
//! that a catalog can answer.

use super::{SinkError, SinkErrorKind};
use crate::change::facts::TargetKind;
use crate::change::remedy::Connect;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};

/// What one target server is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Detected, or forced by `kind` in the config.
    pub kind: TargetKind,
    /// `version()` as printed.
    pub version: String,
    /// `server_version_num`: of the PostgreSQL the server is built on.
    pub version_number: u32,
    /// Rows are spread over segments: tables take `DISTRIBUTED …`, writers of one table exclude each other
    /// and nothing vacuums by itself.
    pub distributed: bool,
    /// The grammar knows `INSERT … ON CONFLICT`.
    pub on_conflict: bool,
    /// The grammar knows AnalyticDB's `COPY … DO ON CONFLICT`.
    pub copy_on_conflict: bool,
    /// PostGIS's `geometry`, qualified and quoted for SQL; `None` where it is not installed.
    pub geometry: Option<String>,
}

/// Answers with one row: version, server_version_num, whether CONFLICT is a key word, where PostGIS's geometry
/// lives, whether AnalyticDB's own objects are there. Works from PostgreSQL 9.4 on.
pub(super) const PROBE: &str = "\
SELECT pg_catalog.version(), pg_catalog.current_setting('server_version_num'), \
 (SELECT pg_catalog.count(*) FROM pg_catalog.pg_get_keywords() k WHERE k.word = 'conflict'), \
 (SELECT pg_catalog.quote_ident(n.nspname) || '.geometry' FROM pg_catalog.pg_extension e \
   JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'), \
 (SELECT pg_catalog.count(*) FROM pg_catalog.pg_settings s WHERE s.name LIKE 'adbpg%') \
 + (SELECT pg_catalog.count(*) FROM pg_catalog.pg_proc p WHERE p.proname = 'adbpg_version'), \
 pg_catalog.pg_backend_pid()";

impl Dialect {
    /// Reads the answer to [`PROBE`]. `greenplum_parameter` tells whether the server announced
    /// `gp_server_version` at startup.
    pub(super) fn read(
        row: &[Option<&str>],
        greenplum_parameter: bool,
        forced: Option<TargetKind>,
    ) -> Result<Self, String> {
        let field = |index: usize| row.get(index).copied().flatten().unwrap_or_default();
        let version = field(0).to_owned();
        let version_number: u32 = field(1)
            .parse()
            .map_err(|_| format!("server_version_num is '{}', which is no number", field(1)))?;
        let greenplum = greenplum_parameter || version.contains("Greenplum Database");
        let on_conflict = field(2) != "0";
        // Greenplum on PostgreSQL 9.4 has no ON CONFLICT; AnalyticDB 6.0 added it there.
        let analyticdb = version.contains("AnalyticDB")
            || field(4) != "0"
            || (greenplum && version_number < 90_500 && on_conflict);
        let kind = forced.unwrap_or(match (greenplum, analyticdb) {
            (_, true) => TargetKind::AnalyticDb,
            (true, false) => TargetKind::Greenplum,
            (false, false) => TargetKind::PostgreSql,
        });
        Ok(Self {
            kind,
            version,
            version_number,
            distributed: match kind {
                TargetKind::PostgreSql => false,
                TargetKind::Greenplum | TargetKind::AnalyticDb => true,
            },
            on_conflict,
            copy_on_conflict: false,
            geometry: row.get(3).copied().flatten().map(str::to_owned),
        })
    }

    /// Asks a distributed server what it understands, by statements that are parsed and never run: a key word may be known
    /// without the clause. PostgreSQL's own grammar needs no question.
    pub(super) async fn ask(&mut self, client: &Client) -> Result<(), Error> {
        const INSERT: &str = "INSERT INTO rowferry_probe VALUES (1) ON CONFLICT DO NOTHING";
        const COPY: &str = "COPY rowferry_probe FROM STDIN DO ON CONFLICT DO NOTHING";
        if self.distributed {
            let (insert, copy) = tokio::join!(client.prepare(INSERT), client.prepare(COPY));
            self.on_conflict = understood(insert)?;
            self.copy_on_conflict = understood(copy)?;
        }
        Ok(())
    }

    /// Refuses what is older than the oldest server this program is made for (PostgreSQL 9.4, under
    /// Greenplum 6).
    pub(super) fn supported(&self, endpoint: &str) -> Result<(), SinkError> {
        if self.version_number >= 90_400 {
            return Ok(());
        }
        Err(SinkErrorKind::State {
            task: "-".into(),
            why: format!("the server is too old: {}", self.version),
            remedy: Connect::Supported.into(),
        }
        .at(endpoint))
    }
}

/// Whether the parser took a statement over a table that is not there.
fn understood(parsed: Result<Statement, Error>) -> Result<bool, Error> {
    match parsed {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::SYNTAX_ERROR) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: &str, number: &str, conflict: &str, adb: &str, parameter: bool) -> Dialect {
        let row = [Some(version), Some(number), Some(conflict), None, Some(adb), Some("7")];
        Dialect::read(&row, parameter, None).unwrap()
    }

    #[test]
    fn the_three_kinds_are_told_apart() {
        let postgres = read("PostgreSQL 15.20 on x86_64", "150020", "1", "0", false);
        assert_eq!((postgres.kind, postgres.distributed), (TargetKind::PostgreSql, false));
        let six = read("PostgreSQL 9.4.26 (Greenplum Database 6.24.0 build x)", "90426", "0", "0", false);
        assert_eq!((six.kind, six.distributed, six.on_conflict), (TargetKind::Greenplum, true, false));
        assert_eq!(read("PostgreSQL 9.4.26", "90426", "0", "0", true).kind, TargetKind::Greenplum);
        let adb = read("PostgreSQL 9.4.26 (Greenplum Database 6.6.0)", "90426", "1", "0", true);
        assert_eq!((adb.kind, adb.on_conflict), (TargetKind::AnalyticDb, true));
    }

    #[test]
    fn a_forced_kind_wins_and_decides_about_distribution() {
        let row =
            [Some("PostgreSQL 12.1"), Some("120001"), Some("1"), Some("gis.geometry"), Some("0"), Some("7")];
        let dialect = Dialect::read(&row, false, Some(TargetKind::AnalyticDb)).unwrap();
        assert!(dialect.distributed && dialect.geometry.as_deref() == Some("gis.geometry"));
    }

    #[test]
    fn a_server_before_9_4_is_refused() {
        assert!(read("PostgreSQL 8.3.23", "80323", "0", "0", true).supported("dw").is_err());
    }
}
