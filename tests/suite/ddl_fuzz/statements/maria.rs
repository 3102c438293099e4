//! What only MariaDB has.

use super::{At, Statement, alter, keys, some_column};
use crate::ddl_fuzz::tables;
use crate::load::Dice;

/// What one session does.
pub fn draw(dice: &mut Dice, at: At<'_>) -> Vec<Statement> {
    let texts: Vec<String> = match if at.wide { dice.below(22) } else { *dice.pick(&[0, 1, 2, 3, 4, 6, 7, 12, 13, 15, 16, 17, 18]) } {
        0 => vec!["CREATE OR REPLACE SEQUENCE t".to_owned()],
        1 => vec!["CREATE SEQUENCE IF NOT EXISTS t START WITH 5".to_owned()],
        2 => vec!["CREATE SEQUENCE sq".to_owned(), "SELECT NEXTVAL(sq)".to_owned(), "ALTER SEQUENCE sq RESTART 50".to_owned(), "DROP SEQUENCE IF EXISTS t".to_owned(), "DROP SEQUENCE sq".to_owned()],
        3 => vec!["CREATE OR REPLACE TABLE t LIKE o".to_owned()],
        4 => {
            let table = tables::table(dice, at.server).sql("t");
            vec![table.replacen("CREATE TABLE", "CREATE OR REPLACE TABLE", 1)]
        }
        5 => vec!["CREATE OR REPLACE TEMPORARY TABLE t (id INT)".to_owned(), "INSERT INTO t VALUES (1)".to_owned()],
        6 => vec!["CREATE OR REPLACE VIEW t AS SELECT 1".to_owned()],
        7 => vec!["CREATE OR REPLACE TABLE t AS SELECT * FROM p".to_owned()],
        8 => vec!["ALTER TABLE t ADD SYSTEM VERSIONING".to_owned(), "DELETE FROM t LIMIT 1".to_owned(), "DELETE HISTORY FROM t".to_owned()],
        9 => vec!["ALTER TABLE t ADD SYSTEM VERSIONING, ALGORITHM=COPY".to_owned(), "UPDATE t SET id = id".to_owned(), "ALTER TABLE t DROP SYSTEM VERSIONING".to_owned()],
        10 => vec!["SET system_versioning_alter_history = 'KEEP'".to_owned(), "ALTER TABLE t ADD SYSTEM VERSIONING".to_owned(), alter(dice, at).text()],
        11 => vec!["ALTER TABLE t PARTITION BY SYSTEM_TIME LIMIT 2 PARTITIONS 3".to_owned()],
        12 => vec!["RENAME TABLE IF EXISTS t TO u, u TO t".to_owned()],
        13 => vec!["RENAME TABLES t WAIT 2 TO u, u TO t".to_owned()],
        14 => vec!["DROP TABLE IF EXISTS nosuch WAIT 2, o".to_owned()],
        15 => vec![format!("CREATE OR REPLACE INDEX cri ON t {}", keys::columns(dice, at))],
        16 => vec![format!("CREATE INDEX IF NOT EXISTS cri ON t WAIT 2 {}", keys::columns(dice, at))],
        17 => vec!["BEGIN NOT ATOMIC ALTER TABLE t ADD COLUMN compound INT DEFAULT 4; END".to_owned()],
        18 => vec!["EXECUTE IMMEDIATE 'ALTER TABLE t ADD COLUMN immediate VARCHAR(9) DEFAULT ''now'''".to_owned()],
        19 => vec!["SET STATEMENT binlog_format = STATEMENT FOR DELETE FROM t LIMIT 1".to_owned()],
        20 => vec!["SET binlog_format = STATEMENT".to_owned(), "DELETE FROM t ORDER BY id LIMIT 1 RETURNING id".to_owned(), format!("INSERT INTO t ({}) VALUES (DEFAULT)", some_column(dice, at))],
        _ => vec![
            "ALTER TABLE t ADD COLUMN ps DATE NOT NULL DEFAULT '2024-01-01', ADD COLUMN pe DATE NOT NULL DEFAULT '2024-12-31', ADD PERIOD FOR span (ps, pe)".to_owned(),
            "SET binlog_format = ROW".to_owned(),
            "DELETE FROM t FOR PORTION OF span FROM '2024-03-01' TO '2024-04-01' LIMIT 1".to_owned(),
            "DELETE FROM t FOR PORTION OF span FROM '2024-03-01' TO '2024-04-01'".to_owned(),
        ],
    };
    texts.into_iter().map(Statement::plain).collect()
}
