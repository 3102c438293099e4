//! Statements on whole tables, indexes and what stands around a table.

use super::{At, Statement, alter, keys, name, new_name, some_column};
use crate::ddl_fuzz::server::Server;
use crate::ddl_fuzz::{definitions, tables, types};
use crate::load::Dice;

/// What one session does.
pub fn draw(dice: &mut Dice, at: At<'_>) -> Vec<Statement> {
    let t = name(dice, at.database);
    let texts: Vec<String> = match dice.below(40) {
        0 | 1 => vec![format!("RENAME TABLE {t} TO gone, p TO t")],
        2 => vec!["RENAME TABLE t TO away".to_owned(), "RENAME TABLE away TO t".to_owned()],
        3 => vec![format!("RENAME TABLE {t} TO T, T TO t")],
        4 => vec![format!("RENAME TABLE {t} TO away, away TO t")],
        5 => vec![format!("RENAME TABLE {t} TO gone")],
        6 => vec!["DROP TABLE t".to_owned(), tables::table(dice, at.server).sql("t")],
        7 => vec![format!("DROP TABLE {}t", dice.pick(&["", "IF EXISTS ", "o, "]))],
        8 => vec!["DROP TABLE p".to_owned(), "DROP TABLE IF EXISTS nosuch, p, o".to_owned()],
        9..=11 => vec![format!("TRUNCATE {}{t}", dice.pick(&["", "TABLE "]))],
        12..=15 => {
            let kind = *dice.pick(&["", "", "UNIQUE ", "FULLTEXT ", "SPATIAL "]);
            let options =
                *dice.pick(&["", "", " ALGORITHM=INPLACE", " ALGORITHM=COPY LOCK=SHARED", " USING HASH"]);
            vec![format!(
                "CREATE {kind}INDEX ci{} ON {t} {}{options}",
                dice.below(50),
                keys::columns(dice, at)
            )]
        }
        16 | 17 => {
            let index = if at.shape.indexes.is_empty() {
                "`PRIMARY`".to_owned()
            } else {
                dice.pick(&at.shape.indexes).clone()
            };
            vec![format!("DROP INDEX {index} ON {t}{}", dice.pick(&["", " ALGORITHM=COPY"]))]
        }
        18..=21 => {
            let verb = *dice.pick(&[
                "OPTIMIZE",
                "ANALYZE",
                "REPAIR",
                "CHECK",
                "OPTIMIZE NO_WRITE_TO_BINLOG",
                "ANALYZE LOCAL",
                "CHECKSUM",
            ]);
            vec![format!("{verb} TABLE {t}{}", dice.pick(&["", "", ", o"]))]
        }
        22 | 23 => {
            let event = *dice.pick(&["BEFORE INSERT", "BEFORE UPDATE", "AFTER DELETE"]);
            let (body, column) = match at.shape.settable().last() {
                Some(column) if !event.ends_with("DELETE") => (
                    *dice.pick(&[
                        "SET NEW.C = NULL",
                        "SET NEW.C = 1",
                        "INSERT INTO o VALUES (99, 'trigger')",
                    ]),
                    column.name.clone(),
                ),
                _ => ("DELETE FROM o WHERE id = 2", String::new()),
            };
            vec![format!(
                "CREATE TRIGGER tr{} {event} ON t FOR EACH ROW {}",
                dice.below(9),
                body.replace('C', &column)
            )]
        }
        24 if at.wide => vec![
            "CREATE TRIGGER tro AFTER INSERT ON o FOR EACH ROW DELETE FROM t LIMIT 1".to_owned(),
            "INSERT INTO o VALUES (50, 'x')".to_owned(),
        ],
        25 => vec![
            (*dice.pick(&[
                "CREATE VIEW v AS SELECT * FROM t",
                "CREATE OR REPLACE VIEW v AS SELECT 1",
                "CREATE OR REPLACE VIEW t AS SELECT 1 AS id",
                "DROP VIEW IF EXISTS t",
            ]))
            .to_owned(),
        ],
        26 => vec![format!(
            "CREATE TABLE IF NOT EXISTS t {}",
            dice.pick(&["LIKE o", "(id INT)", "AS SELECT 1 AS id", "SELECT * FROM o"])
        )],
        27 => vec![
            "CREATE TABLE nt LIKE t".to_owned(),
            alter(dice, at).text().replace(" t ", " nt "),
            "INSERT IGNORE INTO nt SELECT * FROM t".to_owned(),
            "RENAME TABLE t TO ot, nt TO t".to_owned(),
        ],
        28 => vec!["CREATE TABLE nt SELECT * FROM t".to_owned(), "DROP TABLE nt".to_owned()],
        29 => vec![format!("DROP DATABASE {}", at.database)],
        30 => vec![
            format!("ALTER DATABASE {} CHARACTER SET {}", at.database, types::charset(dice)),
            format!("ALTER TABLE t ADD {} VARCHAR(10) DEFAULT 'é'", new_name(dice, at)),
        ],
        31 => vec![format!(
            "ALTER TABLE p MODIFY {} {}",
            some_column(dice, at),
            definitions::new(dice, at.server, &at.shape.columns)
        )],
        32 => {
            vec!["HANDLER t OPEN".to_owned(), "HANDLER t READ FIRST".to_owned(), "HANDLER t CLOSE".to_owned()]
        }
        33 => vec!["FLUSH TABLES t FOR EXPORT".to_owned(), "UNLOCK TABLES".to_owned()],
        34 => vec![
            format!(
                "CREATE PROCEDURE pr{n}() ALTER TABLE t ADD COLUMN byproc INT DEFAULT 3",
                n = dice.below(9)
            ),
            "CALL pr1()".to_owned(),
            "CALL pr2()".to_owned(),
            "CALL pr3()".to_owned(),
            "CALL pr4()".to_owned(),
        ],
        35 => vec![
            "SET @s = 'ALTER TABLE t ADD COLUMN prepared VARCHAR(5) DEFAULT ''p '''".to_owned(),
            "PREPARE ps FROM @s".to_owned(),
            "EXECUTE ps".to_owned(),
        ],
        36 => vec!["/*!50000 ALTER TABLE t */ /*!50000 ADD COLUMN commented INT DEFAULT 5 */".to_owned()],
        37 if at.server.is_modern() => vec![
            "ALTER TABLE t ADD COLUMN x1 INT, RENAME TO t3".to_owned(),
            "RENAME TABLE t3 TO t".to_owned(),
        ],
        38 if at.server == Server::Mysql97 => vec![
            (*dice.pick(&[
                "ALTER TABLE t SECONDARY_LOAD",
                "ANALYZE TABLE t UPDATE HISTOGRAM ON id",
                "IMPORT TABLE FROM 't.sdi'",
                "ALTER TABLE t ADD COLUMN i1 INT, ALGORITHM=INSTANT",
                "CREATE TEMPORARY TABLE t (id INT)",
            ]))
            .to_owned(),
        ],
        _ => vec![format!("RENAME TABLE p TO q, {t} TO p, q TO t")],
    };
    texts.into_iter().map(Statement::plain).collect()
}
