//! What is run on every server: each case on the tables of `super::TABLES`, as one script.

use crate::harness::Kind::{self, Files56, Files97, Gtids56, Gtids97, Maria};

/// One script.
#[derive(Debug)]
pub struct Case {
    /// Told when it fails.
    pub name: &'static str,
    /// Where it can be run; everywhere when empty.
    pub on: &'static [Kind],
    /// `$db` is the database, `$file` a file of tab-separated rows for `a`, `$uuid` one for GTIDs.
    pub sql: &'static str,
}

const fn any(name: &'static str, sql: &'static str) -> Case {
    Case { name, on: &[], sql }
}

/// Where tables with and without transactions may be written together: not where GTIDs are enforced to be consistent.
const MIXED: &[Kind] = &[Files97, Files56, Maria];

/// What 5.6 refuses where GTIDs are enforced to be consistent.
const NOT_GTIDS_56: &[Kind] = &[Gtids97, Files97, Files56, Maria];

/// In this order, one after the other.
pub const CASES: &[Case] = &[
    any(
        "transactions of several statements and tables",
        "BEGIN; INSERT INTO a VALUES (1, 'x', 1), (2, 'y', 2); INSERT INTO b VALUES (1, 'x', 1); UPDATE a SET n = n + 1; \
         DELETE FROM a WHERE id = 2; INSERT INTO u_innodb VALUES (1, 1); COMMIT; \
         SET autocommit = 0; INSERT INTO a VALUES (3, 'z', 3); COMMIT; UPDATE b SET n = 5; COMMIT; SET autocommit = 1",
    ),
    any(
        "transactions without an effect",
        "BEGIN; COMMIT; BEGIN; SELECT * FROM a; COMMIT; UPDATE a SET n = n; DELETE FROM a WHERE id = -1; \
         BEGIN; INSERT INTO a VALUES (4, 'w', 4); DELETE FROM a WHERE id = 4; COMMIT",
    ),
    Case {
        name: "transactions that are only a GTID",
        on: &[Gtids97, Gtids56],
        sql: "SET gtid_next = '$uuid:1'; BEGIN; COMMIT; SET gtid_next = '$uuid:3'; BEGIN; COMMIT; \
              SET gtid_next = 'AUTOMATIC'; INSERT INTO a VALUES (5, 'v', 5)",
    },
    any(
        "a transaction that is rolled back",
        "BEGIN; INSERT INTO a VALUES (10, 'gone', 0); DELETE FROM b; ROLLBACK; UPDATE a SET v = 'x2' WHERE id = 1",
    ),
    Case {
        name: "a transaction that is rolled back with rows of a table without transactions",
        on: MIXED,
        sql: "BEGIN; INSERT INTO a VALUES (10, 'gone', 0); INSERT INTO u_myisam VALUES (10, 0); UPDATE b SET n = -1; ROLLBACK; \
         BEGIN; INSERT INTO u_memory VALUES (11, 0); INSERT INTO a VALUES (11, 'gone', 0); ROLLBACK; \
         BEGIN; UPDATE a SET n = 100; UPDATE u_myisam SET n = 1; UPDATE a SET n = 101; ROLLBACK; \
         INSERT INTO a VALUES (12, 'stays', 0)",
    },
    any(
        "savepoints",
        "BEGIN; INSERT INTO a VALUES (20, 's', 0); SAVEPOINT one; INSERT INTO a VALUES (21, 'gone', 0); \
         SAVEPOINT `tw``o x`; UPDATE a SET n = 200; ROLLBACK TO `tw``o x`; INSERT INTO a VALUES (22, 'gone', 0); \
         ROLLBACK TO ONE; INSERT INTO a VALUES (23, 's', 0); RELEASE SAVEPOINT one; COMMIT",
    ),
    Case {
        name: "savepoints around rows of a table without transactions",
        on: MIXED,
        sql: "BEGIN; INSERT INTO a VALUES (24, 's', 0); SAVEPOINT one; INSERT INTO a VALUES (25, 'gone', 0); \
         INSERT INTO u_myisam VALUES (25, 0); SAVEPOINT two; DELETE FROM a; SAVEPOINT one; INSERT INTO a VALUES (26, 'gone', 0); \
         INSERT INTO u_myisam VALUES (26, 0); ROLLBACK TO two; INSERT INTO a VALUES (27, 's', 0); COMMIT; \
         BEGIN; SAVEPOINT x; INSERT INTO u_myisam VALUES (28, 0); INSERT INTO a VALUES (28, 'gone', 0); \
         ROLLBACK TO SAVEPOINT x; INSERT INTO a VALUES (29, 's', 0); COMMIT; \
         BEGIN; SAVEPOINT x; INSERT INTO a VALUES (30, 'gone', 0); INSERT INTO u_myisam VALUES (30, 0); ROLLBACK TO x; COMMIT",
    },
    Case {
        name: "tables with and without transactions in one statement",
        on: MIXED,
        sql: "INSERT INTO u_myisam VALUES (40, 0), (41, 0); INSERT INTO a VALUES (40, 'm', 0), (41, 'm', 0); \
         UPDATE a JOIN u_myisam u ON a.id = u.id SET a.n = 7, u.n = 7; \
         BEGIN; UPDATE a JOIN u_myisam u ON a.id = u.id SET a.n = a.n + 1, u.n = a.n; INSERT INTO u_memory VALUES (40, 0); \
         DELETE a, u FROM a JOIN u_myisam u ON a.id = u.id WHERE a.id = 41; COMMIT; \
         INSERT INTO a SELECT id + 100, 'm', n FROM u_myisam WHERE id = 40; INSERT INTO u_myisam SELECT id + 1000, n FROM a",
    },
    Case {
        name: "a failing statement on a table without transactions whose trigger writes rows",
        on: MIXED,
        sql: "CREATE TRIGGER tr_u AFTER INSERT ON u_myisam FOR EACH ROW INSERT INTO a VALUES (NEW.id, 'tr', NEW.n); \
         INSERT INTO u_myisam VALUES (50, 1), (51, 1); INSERT IGNORE INTO u_myisam VALUES (52, 1), (50, 1), (53, 1); \
         BEGIN; INSERT INTO u_myisam VALUES (54, 1); ROLLBACK; BEGIN; INSERT INTO u_myisam VALUES (55, 1); COMMIT; \
         DROP TRIGGER tr_u",
    },
    any(
        "triggers that write other tables",
        "CREATE TRIGGER tr_i BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.n = NEW.n * 2; INSERT INTO b VALUES (NEW.id, 't', NEW.n); END; \
         CREATE TRIGGER tr_d AFTER DELETE ON a FOR EACH ROW UPDATE b SET v = 'deleted' WHERE id = OLD.id; \
         CREATE TRIGGER tr_x AFTER INSERT ON u_innodb FOR EACH ROW REPLACE INTO b VALUES (NEW.id, 'u', NEW.n); \
         INSERT INTO a VALUES (60, 'tr', 1), (61, 'tr', 2); DELETE FROM a WHERE id = 60; INSERT INTO u_innodb VALUES (62, 3); \
         DROP TRIGGER tr_i; DROP TRIGGER tr_d; DROP TRIGGER tr_x",
    ),
    any(
        "procedures and functions that write",
        "CREATE PROCEDURE p (first INT) BEGIN DECLARE i INT DEFAULT 0; START TRANSACTION; WHILE i < 3 DO \
         INSERT INTO a VALUES (first + i, 'p', i); SET i = i + 1; END WHILE; COMMIT; INSERT INTO b VALUES (first, 'p', 0); END; \
         SET GLOBAL log_bin_trust_function_creators = 1; \
         CREATE FUNCTION f (k INT) RETURNS INT BEGIN INSERT INTO b VALUES (k, 'f', 0); RETURN k; END; \
         CALL p(70); SELECT f(75); INSERT INTO a VALUES (76, 'f', f(76)); DO f(77); DROP PROCEDURE p; DROP FUNCTION f",
    ),
    any(
        "temporary tables",
        "CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO tmp VALUES (80, 'tmp'); \
         INSERT INTO a SELECT id, v, 0 FROM tmp; ALTER TABLE tmp ADD COLUMN w INT; TRUNCATE TABLE tmp; DROP TABLE tmp; \
         DROP TEMPORARY TABLE IF EXISTS nothing",
    ),
    any(
        "a temporary table with the name of a carried one",
        "CREATE TEMPORARY TABLE a (id INT PRIMARY KEY, other INT); INSERT INTO a VALUES (1, 1), (81, 1); UPDATE a SET other = 2; \
         ALTER TABLE a ADD COLUMN more INT; CREATE INDEX i ON a (more); TRUNCATE TABLE a; DROP TABLE a; INSERT INTO a VALUES (81, 'base', 0); \
         CREATE TEMPORARY TABLE b (id INT); DROP TEMPORARY TABLE b; CREATE TEMPORARY TABLE b SELECT * FROM a; BEGIN; DELETE FROM b; \
         INSERT INTO a VALUES (82, 'base', 0); ROLLBACK; DROP TEMPORARY TABLE IF EXISTS b; \
         CREATE TEMPORARY TABLE a (id INT)",
    ),
    Case {
        name: "temporary tables inside a transaction",
        on: NOT_GTIDS_56,
        sql: "BEGIN; CREATE TEMPORARY TABLE tmp2 SELECT * FROM a; INSERT INTO b SELECT id + 1, v, n FROM tmp2 WHERE id = 80; \
              DROP TEMPORARY TABLE tmp2; COMMIT; BEGIN; INSERT INTO a VALUES (83, 'gone', 0); CREATE TEMPORARY TABLE tmp2 (id INT); ROLLBACK; \
              BEGIN; INSERT INTO a VALUES (83, 'stays', 0); SAVEPOINT s; INSERT INTO a VALUES (84, 'gone', 0); DROP TEMPORARY TABLE tmp2; \
              ROLLBACK TO s; COMMIT",
    },
    Case {
        name: "CREATE TABLE … SELECT",
        on: NOT_GTIDS_56,
        sql: "CREATE TABLE c1 (PRIMARY KEY (id)) AS SELECT * FROM a; CREATE TABLE u_c AS SELECT * FROM a; CREATE TABLE c2 LIKE a; \
         INSERT INTO c2 SELECT * FROM c1; CREATE TABLE IF NOT EXISTS c1 AS SELECT * FROM b; CREATE TEMPORARY TABLE tc SELECT * FROM c2; \
         INSERT INTO a VALUES (90, 'behind', 0); DROP TABLE c1, u_c; DROP TABLE c2",
    },
    Case {
        name: "CREATE OR REPLACE TABLE … SELECT",
        on: &[Maria],
        sql: "CREATE OR REPLACE TABLE c1 (PRIMARY KEY (id)) AS SELECT * FROM a; CREATE OR REPLACE TABLE c1 AS SELECT * FROM b; \
              CREATE OR REPLACE TABLE u_c (id INT); CREATE OR REPLACE TEMPORARY TABLE tc2 AS SELECT * FROM a; \
              INSERT INTO a VALUES (91, 'behind', 0); DROP TABLE c1, u_c",
    },
    any(
        "ON DUPLICATE KEY UPDATE, REPLACE, IGNORE",
        "INSERT INTO k VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'); \
         INSERT INTO k VALUES (1, 9, 'x'), (4, 2, 'y'), (5, 5, 'z') ON DUPLICATE KEY UPDATE v = VALUES(v), id = id + 100; \
         REPLACE INTO k VALUES (3, 3, 'same key'), (6, 5, 'other row'), (7, 7, 'new'); REPLACE INTO k VALUES (101, 102, 'p'), (3, 1, 'two rows go'); \
         INSERT IGNORE INTO k VALUES (7, 70, 'ignored'), (8, 8, 'new'); UPDATE IGNORE k SET u = u + 1; \
         INSERT INTO auto (v) VALUES ('a'), ('b'); INSERT INTO auto (v) VALUES ('a') ON DUPLICATE KEY UPDATE n = n + 1; REPLACE INTO auto (v) VALUES ('b')",
    ),
    any(
        "UPDATE and DELETE of several tables, and of changed keys",
        "UPDATE a, b SET a.n = b.n, b.v = a.v WHERE a.id = b.id; DELETE a, b FROM a JOIN b USING (id) WHERE id IN (61, 62); \
         UPDATE k SET id = id + 1000, u = u + 1000 ORDER BY id DESC; UPDATE k SET id = -id",
    ),
    any(
        "LOAD DATA",
        "LOAD DATA INFILE '$file' INTO TABLE a; LOAD DATA INFILE '$file' REPLACE INTO TABLE b (id, v, n) SET n = 17; \
         BEGIN; LOAD DATA INFILE '$file' IGNORE INTO TABLE a; INSERT INTO a VALUES (9100, 'load', 0); COMMIT; LOAD DATA INFILE '$file' INTO TABLE u_load",
    ),
    any(
        "a transaction that ends by itself",
        "BEGIN; INSERT INTO a VALUES (100, 'implicit', 0); CREATE TABLE u_new (id INT); ROLLBACK; \
         BEGIN; INSERT INTO a VALUES (101, 'implicit', 0); ALTER TABLE u_new ADD COLUMN v INT; DROP TABLE u_new; ROLLBACK; \
         BEGIN; INSERT INTO a VALUES (102, 'implicit', 0); BEGIN; INSERT INTO a VALUES (103, 'gone', 0); ROLLBACK",
    ),
    any(
        "rotation",
        "FLUSH LOGS; INSERT INTO a VALUES (110, 'r', 0); FLUSH LOGS; FLUSH LOGS; BEGIN; INSERT INTO a VALUES (111, 'r', 0); \
         FLUSH BINARY LOGS; INSERT INTO a VALUES (112, 'r', 0); COMMIT; BEGIN; INSERT INTO a VALUES (113, 'r', 0); FLUSH LOGS; ROLLBACK",
    ),
    any(
        "statements about other things",
        "CREATE VIEW vw AS SELECT * FROM a; UPDATE vw SET n = 3 WHERE id = 110; CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO DELETE FROM a; DROP EVENT ev; \
         DROP VIEW vw; CREATE USER 'x$db'@'localhost' IDENTIFIED BY 'Secret-1'; GRANT SELECT ON `$db`.* TO 'x$db'@'localhost'; \
         REVOKE SELECT ON `$db`.* FROM 'x$db'@'localhost'; DROP USER 'x$db'@'localhost'; FLUSH TABLES; FLUSH PRIVILEGES; ANALYZE TABLE a, b; \
         OPTIMIZE TABLE a; CHECK TABLE a; CREATE DATABASE `$db_other`; DROP DATABASE `$db_other`; INSERT INTO a VALUES (120, 'behind', 0)",
    ),
    any(
        "DDL of carried tables",
        "ALTER TABLE a ADD COLUMN w INT NOT NULL DEFAULT 3; INSERT INTO a VALUES (130, 'w', 0, 4); CREATE INDEX i ON a (v); DROP INDEX i ON a; \
         UPDATE a SET w = 5 WHERE id = 130; ALTER TABLE a ADD INDEX (n), ENGINE = InnoDB; ALTER TABLE a MODIFY v VARCHAR(60); \
         INSERT INTO a VALUES (131, REPEAT('w', 60), 0, 4); ALTER TABLE a DROP INDEX n; ALTER TABLE a CHANGE w ww BIGINT NOT NULL DEFAULT 3; INSERT INTO a VALUES (132, '', 0, 1 << 40)",
    ),
    any(
        "many tables and many events in one transaction",
        "BEGIN; INSERT INTO big SELECT x.id * 1000 + y.id, REPEAT('b', 500) FROM a x JOIN a y ON y.id < 1000 WHERE x.id < 1000; UPDATE a SET n = n + 1; \
         UPDATE b SET n = n + 1; DELETE FROM big WHERE id % 3 = 0; UPDATE big SET v = 'short' WHERE id % 7 = 0; INSERT INTO a (id, v, n) VALUES (190, 'end', 0); COMMIT",
    ),
    Case {
        name: "groups of several domains, and numbers that do not rise",
        on: &[Maria],
        sql: "SET gtid_domain_id = 7; INSERT INTO a (id, v, n) VALUES (150, 'd7', 0); SET gtid_domain_id = 0; INSERT INTO a (id, v, n) VALUES (151, 'd0', 0); \
              SET gtid_domain_id = 7; SET gtid_seq_no = 1000; UPDATE a SET v = 'd7 1000' WHERE id = 150; SET gtid_seq_no = 500; UPDATE a SET v = 'd7 500' WHERE id = 150; \
              SET gtid_domain_id = 9; DELETE FROM a WHERE id = 151; SET server_id = 12345; UPDATE a SET v = 'd9' WHERE id = 150",
    },
    Case {
        name: "an ALTER that is logged in two parts",
        on: &[Maria],
        sql: "SET binlog_alter_two_phase = ON; ALTER TABLE a ADD COLUMN two INT DEFAULT 2; INSERT INTO a (id, v, n) VALUES (160, 'two', 0); \
              ALTER TABLE a ADD COLUMN more INT, ADD INDEX (more), ALGORITHM = COPY; UPDATE a SET more = 9 WHERE id = 160; ALTER TABLE u_innodb ADD COLUMN y INT; \
              ALTER TABLE b ADD COLUMN IF NOT EXISTS y INT DEFAULT 4; SET binlog_alter_two_phase = OFF",
    },
    Case {
        name: "sequences",
        on: &[Maria],
        sql: "CREATE SEQUENCE seq START WITH 5 INCREMENT BY 3 CACHE 2; INSERT INTO a (id, v, n) VALUES (170, 'seq', NEXTVAL(seq)), (171, 'seq', NEXTVAL(seq)), (172, 'seq', NEXTVAL(seq)); \
              SELECT SETVAL(seq, 100); ALTER SEQUENCE seq RESTART 50; BEGIN; INSERT INTO a (id, v, n) VALUES (173, 'seq', NEXTVAL(seq)); ROLLBACK; DROP SEQUENCE seq",
    },
    Case {
        name: "statements only MariaDB has",
        on: &[Maria],
        sql: "SET STATEMENT sort_buffer_size = 100000 FOR INSERT INTO a (id, v, n) VALUES (180, 'set', 0); INSERT INTO a (id, v, n) VALUES (181, 'r', 0) RETURNING id; \
              DELETE FROM a WHERE id = 181 RETURNING v; CREATE ROLE r_$db; DROP ROLE r_$db; CREATE OR REPLACE VIEW vv AS SELECT 1; DROP VIEW vv; \
              BEGIN NOT ATOMIC INSERT INTO a (id, v, n) VALUES (182, 'compound', 0); END; EXECUTE IMMEDIATE 'INSERT INTO a (id, v, n) VALUES (183, ''imm'', 0)'; \
              CREATE OR REPLACE TABLE u_c (id INT); CREATE OR REPLACE TABLE u_c AS SELECT 1 AS one; DROP TABLE u_c",
    },
];

/// The failing ALTER, run by itself: the script ends in its error.
pub const FAILING_ALTER: &str =
    "SET binlog_alter_two_phase = ON; ALTER TABLE a ADD UNIQUE (n), ALGORITHM = COPY";
