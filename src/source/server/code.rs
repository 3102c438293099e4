//! Triggers, routines, views and foreign keys of the source, for [`StoredCode`].
//!
//! What must never happen here: a list that lacks something taken for whole. Each server shows only what the user has some
//! privilege for, so the grants are read too.

use super::{Server, text};
use crate::change::TableName;
use crate::change::facts::Flavour;
use crate::change::remedy::{Grantee, Remedy};
use crate::source::SourceError;
use crate::source::binlog::code::{Cascade, Object, ObjectKind, StoredCode};
use std::collections::BTreeSet;

/// What a user needs to see all code that there is, of every database.
const NEEDED: [(&str, &[&str]); 4] = [
    ("TRIGGER", &["TRIGGER"]),
    ("EXECUTE", &["EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW_ROUTINE"]),
    ("SELECT", &["SELECT"]),
    ("SHOW VIEW", &["SHOW VIEW"]),
];

impl Server {
    /// Everything that statements can call.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn stored_code(&mut self) -> Result<StoredCode, SourceError> {
        let missing = self.missing_for_code().await?;
        if !missing.is_empty() {
            let (on, to) = ("*.*".to_owned(), Grantee::Named(self.user.clone()));
            let privileges = missing.into_iter().map(str::to_owned).collect();
            return Ok(StoredCode::new(Vec::new(), Vec::new(), Some(Remedy::Grant { privileges, on, to })));
        }
        let mut objects = Vec::new();
        let triggers = self
            .rows(
                "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, ACTION_STATEMENT, EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE \
                 FROM information_schema.TRIGGERS",
            )
            .await?;
        objects.extend(triggers.iter().map(|row| {
            let on = TableName::new(text(row, 3).unwrap_or_default(), text(row, 4).unwrap_or_default());
            object(row, ObjectKind::Trigger { on })
        }));
        let routines = self
            .rows(
                "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_DEFINITION, ROUTINE_TYPE FROM information_schema.ROUTINES",
            )
            .await?;
        objects.extend(routines.iter().map(|row| {
            let procedure = text(row, 3) == Some("PROCEDURE");
            object(row, if procedure { ObjectKind::Procedure } else { ObjectKind::Routine })
        }));
        let views = self
            .rows("SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS")
            .await?;
        objects.extend(views.iter().map(|row| object(row, ObjectKind::View)));
        // What they unite is only told by their definitions; they are rare.
        let unions = self
            .rows(
                "SELECT TABLE_SCHEMA, TABLE_NAME, NULL FROM information_schema.TABLES WHERE ENGINE LIKE 'MRG%'",
            )
            .await?;
        objects.extend(unions.iter().map(|row| object(row, ObjectKind::Union)));
        let cascades = self.every_cascade().await?;
        Ok(StoredCode::new(objects, cascades, None))
    }

    /// The foreign keys that may change rows. One whose rules are not shown (MariaDB hides them from who may only SELECT) is among
    /// them.
    async fn every_cascade(&mut self) -> Result<Vec<Cascade>, SourceError> {
        let harmless = self
            .rows(
                "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
                 WHERE DELETE_RULE IN ('RESTRICT', 'NO ACTION') AND UPDATE_RULE IN ('RESTRICT', 'NO ACTION')",
            )
            .await?;
        let harmless: BTreeSet<_> = harmless.into_iter().collect();
        let keys = self
            .rows(
                "SELECT DISTINCT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
                 TABLE_SCHEMA FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL",
            )
            .await?;
        let cascades = keys.iter().filter(|row| !row.get(..3).is_some_and(|key| harmless.contains(key)));
        let part = |row: &[Option<String>], at| text(row, at).unwrap_or_default().to_owned();
        Ok(cascades
            .map(|row| Cascade {
                parent: TableName::new(part(row, 3), part(row, 4)),
                child: TableName::new(part(row, 5), part(row, 1)),
            })
            .collect())
    }

    /// The privileges that the user lacks to see all code.
    async fn missing_for_code(&mut self) -> Result<Vec<&'static str>, SourceError> {
        let grants = self.rows("SHOW GRANTS").await?;
        let global = global_privileges(grants.iter().filter_map(|row| text(row, 0)));
        let has =
            |any: &[&str]| any.iter().any(|one| global.contains(*one)) || global.contains("ALL PRIVILEGES");
        let mut missing: Vec<&str> =
            NEEDED.iter().filter(|(_, any)| !has(any)).map(|(name, _)| *name).collect();
        // MySQL 8 shows bodies of routines for SHOW_ROUTINE or SELECT on everything, the others for the latter.
        if self.flavour == Flavour::MariaDb
            && self.version_number >= 110_300
            && !has(&["SHOW CREATE ROUTINE", "SELECT"])
        {
            missing.push("SHOW CREATE ROUTINE");
        }
        Ok(missing)
    }
}

fn object(row: &[Option<String>], kind: ObjectKind) -> Object {
    let name = TableName::new(text(row, 0).unwrap_or_default(), text(row, 1).unwrap_or_default());
    // A view's text is empty where it is not shown.
    let body = text(row, 2).filter(|body| !body.trim().is_empty()).map(str::to_owned);
    Object { kind, name, body }
}

/// The privileges on everything that SHOW GRANTS tells. None where some are taken back for a database (MySQL 8's partial
/// revokes), which hides that database's code. That of the server's own databases is not looked for: no trigger can be there, and
/// a function that leads from there to a carried table is told by the databases that the log names.
fn global_privileges<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in lines {
        if let Some(taken_back) = line.strip_prefix("REVOKE ") {
            let of_server = ["mysql", "sys", "information_schema", "performance_schema"];
            if of_server.iter().any(|name| taken_back.contains(&format!(" ON `{name}`.* FROM "))) {
                continue;
            }
            return BTreeSet::new();
        }
        let Some((privileges, _)) = line.split_once(" ON *.* TO ") else { continue };
        found.extend(privileges.trim_start_matches("GRANT ").split(", ").map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_holds_everywhere_counts() {
        let found = |lines: &[&str]| global_privileges(lines.iter().copied());
        let granted = ["GRANT SELECT, TRIGGER ON *.* TO `r`@`%`", "GRANT EXECUTE ON `a`.* TO `r`@`%`"];
        assert_eq!(found(&granted), ["SELECT", "TRIGGER"].map(str::to_owned).into());
        let taken_back = ["GRANT ALL PRIVILEGES ON *.* TO `r`@`%`", "REVOKE TRIGGER ON `a`.* FROM `r`@`%`"];
        assert!(found(&taken_back).is_empty());
        let of_server = ["GRANT SELECT ON *.* TO `r`@`%`", "REVOKE SELECT ON `mysql`.* FROM `r`@`%`"];
        assert_eq!(found(&of_server), ["SELECT"].map(str::to_owned).into());
    }
}
