//! What probing finds out about the source. What cannot be asked for becomes a fact, not a failure: the precheck says
//! what is missing.

use super::codes::{DENIED, NO_LOG, XA_RECOVER_DENIED};
use super::{Server, TextRows, text};
use crate::change::facts::{Flavour, SourceFacts, SourceTableFacts};
use crate::change::gtid::GtidSetError;
use crate::change::{Domains, GtidSet, TableName};
use crate::config::types::Selection;
use crate::schema::Table;
use crate::source::{SourceError, catalog};
use std::collections::{BTreeMap, BTreeSet};

/// Asks for both sets. (SHOW VARIABLES cuts values at 1024 characters.)
const GTID_SETS: &str = "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.gtid_purged";

impl Server {
    /// Everything the precheck wants to know and the definitions of the selected tables, in a fixed number of queries (beside one
    /// for each table of which the user may read only some columns, and on MariaDB for each foreign key whose rules are hidden).
    ///
    /// # Errors
    /// What the server answers, other than that a privilege is missing.
    pub async fn facts(&mut self, selection: &Selection) -> Result<(SourceFacts, Vec<Table>), SourceError> {
        let mut missing_privileges = BTreeSet::new();
        let variables = self.variables.clone();
        let value = |name: &str| variables.get(name).map(String::as_str);
        let upper = |name: &str| value(name).unwrap_or_default().to_ascii_uppercase();
        let on = |name: &str| matches!(upper(name).as_str(), "ON" | "1");

        let (gtid_executed, gtid_purged) = match self.flavour {
            Flavour::MySql => self.gtid_sets().await?,
            Flavour::MariaDb => Default::default(),
        };
        let (domains, domains_purged) = match self.flavour {
            Flavour::MySql => Default::default(),
            Flavour::MariaDb => (self.domains_logged().await?, self.domains_purged().await?),
        };
        let log = self.log_status_if_allowed(&mut missing_privileges).await?;
        let log_end = log.as_deref().map(|row| self.file_position(row)).transpose()?;
        let databases = |column| databases(log.as_ref(), column);
        // Where the server has no such variable, it has always logged what it receives.
        let logs_received = ["log_replica_updates", "log_slave_updates"]
            .iter()
            .find(|name| variables.contains_key(**name))
            .is_none_or(|name| on(name));
        let receives = if on("wsrep_on") { Some(true) } else { self.receives_if_allowed().await? };
        let prepared_xa = self.prepared_xa_if_allowed(&mut missing_privileges).await?;
        if !self.may_replicate().await? {
            missing_privileges.insert("REPLICATION SLAVE".to_owned());
        }
        let (tables, definitions) = self.table_facts(selection).await?;
        let facts = SourceFacts {
            flavour: self.flavour,
            version: self.version.clone(),
            version_number: self.version_number,
            server_uuid: Some(self.identity().to_owned()),
            log_bin: on("log_bin"),
            binlog_format: upper("binlog_format"),
            // MySQL before 5.6.2 always wrote full images.
            binlog_row_image: value("binlog_row_image")
                .map_or_else(|| "FULL".to_owned(), str::to_ascii_uppercase),
            binlog_row_value_options: upper("binlog_row_value_options"),
            native_foreign_keys: value("innodb_native_foreign_keys")
                .is_none_or(|_| on("innodb_native_foreign_keys")),
            only_logged: databases(2),
            never_logged: databases(3),
            logs_received,
            receives,
            sync_binlog: value("sync_binlog").and_then(|number| number.parse().ok()).unwrap_or(0),
            gtid_mode_on: upper("gtid_mode") == "ON",
            gtid_executed,
            gtid_purged,
            domains,
            domains_purged,
            log_end,
            lower_case_table_names: value("lower_case_table_names")
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| self.protocol("the server does not tell lower_case_table_names"))?,
            prepared_xa,
            missing_privileges,
            settings: variables,
            tables,
        };
        Ok((facts, definitions))
    }

    /// Brings what `facts` say of the log up to date; gives the files of the log and their sizes.
    ///
    /// # Errors
    /// What the server answers; here a privilege that is missing too, since it was there when all was asked for.
    pub async fn look_at_log(
        &mut self,
        facts: &mut SourceFacts,
    ) -> Result<BTreeMap<String, u64>, SourceError> {
        let sets = match self.flavour {
            Flavour::MySql => GTID_SETS,
            Flavour::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
        };
        let answers = self.script(&[sets, self.log_status_query(), "SHOW BINARY LOGS"]).await?;
        let [sets, status, files] = answers.as_slice() else {
            return Err(self.protocol("not all questions were answered"));
        };
        facts.log_end = status.first().map(|row| self.file_position(row)).transpose()?;
        facts.only_logged = databases(status.first(), 2);
        facts.never_logged = databases(status.first(), 3);
        facts.settings.clone_from(&self.variables);
        if let Some(mode) = self.variables.get("gtid_mode") {
            facts.gtid_mode_on = mode.eq_ignore_ascii_case("ON");
        }
        match self.flavour {
            Flavour::MySql => (facts.gtid_executed, facts.gtid_purged) = self.two_sets(sets)?,
            Flavour::MariaDb => {
                facts.domains = self.domains_in(sets)?;
                facts.domains_purged = self.domains_before(files).await?;
            }
        }
        let size = |row: &Vec<Option<String>>| Some((text(row, 0)?.to_owned(), text(row, 1)?.parse().ok()?));
        Ok(files.iter().filter_map(size).collect())
    }

    /// `gtid_executed` and `gtid_purged`.
    async fn gtid_sets(&mut self) -> Result<(GtidSet, GtidSet), SourceError> {
        let rows = self.rows(GTID_SETS).await?;
        self.two_sets(&rows)
    }

    fn two_sets(&self, rows: &TextRows) -> Result<(GtidSet, GtidSet), SourceError> {
        let set = |column| {
            let set = rows.first().and_then(|row| text(row, column)).unwrap_or_default();
            set.parse().map_err(|error: GtidSetError| self.protocol(error.to_string()))
        };
        Ok((set(0)?, set(1)?))
    }

    /// File, position, and the databases that alone or never get into the log.
    async fn log_status_if_allowed(
        &mut self,
        missing: &mut BTreeSet<String>,
    ) -> Result<Option<Vec<Option<String>>>, SourceError> {
        match self.rows(self.log_status_query()).await {
            Ok(rows) => Ok(rows.into_iter().next()),
            Err(error) if error.code() == Some(DENIED) => {
                missing.insert(
                    match self.flavour {
                        Flavour::MySql => "REPLICATION CLIENT",
                        Flavour::MariaDb => "BINLOG MONITOR",
                    }
                    .to_owned(),
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the server is a replica; `None` where only a privilege beyond replication's would tell (MariaDB).
    async fn receives_if_allowed(&mut self) -> Result<Option<bool>, SourceError> {
        match self.rows(self.server_version().replication_query()).await {
            Ok(sources) => Ok(Some(!sources.is_empty())),
            Err(error) if error.code() == Some(DENIED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// MariaDB: what lies before the oldest file that is left, by that file's own list.
    async fn domains_purged(&mut self) -> Result<Option<Domains>, SourceError> {
        match self.rows("SHOW BINARY LOGS").await {
            Ok(files) => self.domains_before(&files).await,
            Err(error) if matches!(error.code(), Some(DENIED | NO_LOG)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// MariaDB: what lies before the first of these files, by its own list.
    async fn domains_before(&mut self, files: &TextRows) -> Result<Option<Domains>, SourceError> {
        let oldest = files.first().and_then(|row| text(row, 0)).map(|file| file.replace('\'', "''"));
        let Some(oldest) = oldest else { return Ok(None) };
        let events = match self.rows(&format!("SHOW BINLOG EVENTS IN '{oldest}' LIMIT 3")).await {
            Ok(events) => events,
            Err(error) if error.code() == Some(DENIED) => return Ok(None),
            Err(error) => return Err(error),
        };
        let list = events.iter().find(|event| text(event, 2) == Some("Gtid_list"));
        let list = list.and_then(|event| text(event, 5)).map(|list| list.trim_matches(['[', ']']));
        Ok(list.and_then(|list| list.parse().ok()))
    }

    async fn prepared_xa_if_allowed(
        &mut self,
        missing: &mut BTreeSet<String>,
    ) -> Result<Option<u64>, SourceError> {
        match self.prepared_xa().await {
            Ok(prepared) => Ok(Some(u64::try_from(prepared.len()).unwrap_or(u64::MAX))),
            Err(error) if error.code() == Some(XA_RECOVER_DENIED) => {
                missing.insert("XA_RECOVER_ADMIN".to_owned());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the binlog may be asked for. MySQL guards its list of replicas by the same privilege, so that roles and
    /// wildcards need not be understood; MariaDB guards it by another, so its grants are read (active roles included).
    async fn may_replicate(&mut self) -> Result<bool, SourceError> {
        let sql = match self.flavour {
            Flavour::MySql => self.server_version().replicas_query(),
            Flavour::MariaDb => {
                let grants = self.rows("SHOW GRANTS").await?;
                return Ok(grants.iter().filter_map(|row| text(row, 0)).any(grants_replication));
            }
        };
        match self.rows(sql).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(DENIED) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn table_facts(
        &mut self,
        selection: &Selection,
    ) -> Result<(BTreeMap<TableName, SourceTableFacts>, Vec<Table>), SourceError> {
        let more = [catalog::partly_granted_query(selection)];
        let (found, answers) = catalog::read(self, selection, &more).await?;
        let partly = answers.into_iter().next().unwrap_or_default();
        let partly: BTreeSet<TableName> = partly.iter().map(|row| catalog::name_of(row)).collect();
        let (mut facts, mut definitions) = (BTreeMap::new(), Vec::with_capacity(found.len()));
        for entry in found {
            let mut readable = entry.readable;
            if readable && partly.contains(&entry.table.name) {
                readable = catalog::may_read_all(self, &entry.table.name).await?;
            }
            facts.insert(
                entry.table.name.clone(),
                SourceTableFacts {
                    estimated_rows: entry.estimated_rows,
                    engine: entry.engine,
                    versioned: entry.versioned,
                    has_key: !entry.table.primary_key.is_empty() || !entry.table.unique_keys.is_empty(),
                    prefix_key: entry.prefix_key,
                    readable,
                },
            );
            definitions.push(entry.table);
        }
        Ok((facts, definitions))
    }
}

/// The databases that a column of the log's status names.
fn databases(status: Option<&Vec<Option<String>>>, column: usize) -> Vec<String> {
    status.and_then(|row| text(row, column)).map_or(Vec::new(), names)
}

/// The databases of one column of the log's status: `a,b`.
fn names(list: &str) -> Vec<String> {
    list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A line of SHOW GRANTS: `GRANT SELECT, REPLICATION SLAVE ON *.* TO …`.
fn grants_replication(grant: &str) -> bool {
    let Some((privileges, _)) = grant.split_once(" ON *.* TO ") else { return false };
    privileges
        .trim_start_matches("GRANT ")
        .split(", ")
        .any(|privilege| matches!(privilege, "ALL PRIVILEGES" | "REPLICATION SLAVE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replication_privilege_is_found_among_global_grants_only() {
        assert!(grants_replication("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"));
        assert!(grants_replication("GRANT SELECT, REPLICATION SLAVE ON *.* TO `r`@`%`"));
        assert!(!grants_replication("GRANT REPLICATION SLAVE ADMIN ON *.* TO `r`@`%`"));
        assert!(!grants_replication("GRANT ALL PRIVILEGES ON `shop`.* TO `r`@`%`"));
    }
}
