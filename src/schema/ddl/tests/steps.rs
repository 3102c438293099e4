use super::*;

#[test]
fn columns_are_added_in_every_form() {
    check(
        mysql(),
        &[
            ("ALTER TABLE t ADD a INT", "alter t; add a int"),
            (
                "ALTER TABLE `shop`.`t` ADD COLUMN `a b` BIGINT UNSIGNED NOT NULL",
                "alter shop.t; add a b bigint unsigned notnull",
            ),
            ("ALTER TABLE t ADD(a INT, b TEXT DEFAULT ',')", "alter t; add a int; add b text =','"),
            (
                "ALTER TABLE t ADD COLUMN (a INT, INDEX (a), UNIQUE u (a, b))",
                "alter t; add a int; ~INDEX; unique u a,b",
            ),
            (
                "ALTER TABLE t ADD COLUMN a ENUM('x,y','z''q') NOT NULL",
                "alter t; add a enum('x,y','z''q') notnull",
            ),
            (
                "ALTER TABLE t ADD a SET(\"x\",'y)') FIRST, ADD b DATE AFTER `a`",
                "alter t; add a set('x','y)') first; add b date after a",
            ),
            ("ALTER TABLE t ADD IF NOT EXISTS a INT", "alter t; add ? a int"),
            ("ALTER TABLE t ADD COLUMN IF NOT EXISTS (a INT, b INT)", "alter t; add ? a int; add ? b int"),
            (
                "ALTER TABLE t ADD first INT, ADD `after` INT FIRST",
                "alter t; add first int; add after int first",
            ),
            ("ALTER TABLE t ADD column_name VARCHAR(10)", "alter t; add column_name varchar(10)"),
            (
                "ALTER TABLE t ADD COLUMN date DATE, ADD timestamp TIMESTAMP(3), ADD text TEXT",
                "alter t; add date date; add timestamp timestamp(3) null; add text text",
            ),
            (
                "ALTER TABLE t ADD COLUMN comment TEXT COMMENT 'it''s, (a) comment'",
                "alter t; add comment text",
            ),
            ("ALTER TABLE t ADD a INT /* , ADD b INT */, ADD c INT -- tail", "alter t; add a int; add c int"),
            (
                "ALTER TABLE t ADD a INT /*!80023 INVISIBLE */, ALGORITHM=INSTANT, LOCK=DEFAULT",
                "alter t; add a int; ~ALGORITHM; ~LOCK",
            ),
            ("ALTER TABLE t /*!50100 ADD a INT */", "alter t; add a int"),
            (
                "ALTER TABLE t ADD a VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin",
                "alter t; add a varchar(20) character set latin1 collate latin1_bin",
            ),
            (
                "ALTER TABLE t ADD a CHAR(5) CHARSET 'utf8mb4' NOT NULL COLLATE `utf8mb4_bin`",
                "alter t; add a char(5) character set utf8mb4 collate utf8mb4_bin notnull",
            ),
            (
                "ALTER TABLE t ADD a CHARACTER VARYING(9), ADD b NATIONAL CHAR VARYING(3), ADD c LONG VARBINARY, \
                 ADD d LONG CHARACTER SET latin1, ADD e LONG CHAR VARYING",
                "alter t; add a character varying(9); add b national char varying(3); add c long varbinary; \
                 add d long character set latin1; add e long varchar",
            ),
            (
                "ALTER TABLE t ADD a DOUBLE PRECISION UNSIGNED ZEROFILL, ADD b DECIMAL(10, 2)",
                "alter t; add a double precision unsigned zerofill; add b decimal(10,2)",
            ),
            (
                "ALTER TABLE t ADD a BOOL, ADD b SERIAL",
                "alter t; add a bool; add b serial notnull auto unique",
            ),
            (
                "ALTER TABLE t ADD id INT NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST",
                "alter t; add id int notnull auto primary first",
            ),
            (
                "ALTER TABLE t ADD id INT AUTO_INCREMENT UNIQUE KEY COMMENT 'x'",
                "alter t; add id int auto unique",
            ),
            ("ALTER TABLE t ADD a INT KEY", "alter t; add a int primary"),
            (
                "ALTER TABLE t ADD a INT GENERATED ALWAYS AS (b + (c * 2)) STORED NOT NULL",
                "alter t; add a int notnull generated",
            ),
            ("ALTER TABLE t ADD a INT AS (b) PERSISTENT", "alter t; add a int generated"),
            (
                "ALTER TABLE t ADD a INT REFERENCES u (id) MATCH FULL ON DELETE CASCADE ON UPDATE SET NULL NOT NULL",
                "alter t; add a int notnull cascades",
            ),
            (
                "ALTER TABLE t ADD a INT REFERENCES u (id) ON DELETE NO ACTION ON UPDATE RESTRICT NOT NULL",
                "alter t; add a int notnull",
            ),
            (
                "ALTER TABLE t ADD a INT CONSTRAINT c CHECK (a > 0 AND b IN (1,2)) NOT ENFORCED NOT NULL",
                "alter t; add a int notnull",
            ),
            (
                "ALTER TABLE t ADD a INT CHECK (a > 0), ADD g POINT NOT NULL SRID 4326",
                "alter t; add a int; add g point notnull",
            ),
            (
                "ALTER TABLE t ADD a INT COLUMN_FORMAT FIXED STORAGE MEMORY ENGINE_ATTRIBUTE = '{\"a\":1}'",
                "alter t; add a int",
            ),
            ("ALTER TABLE t ADD v VECTOR(4), ADD j JSON", "alter t; add v vector(4); add j json"),
            (
                "ALTER TABLE t ADD a INT PARTITION BY HASH (a) PARTITIONS 4",
                "alter t; add a int; ~PARTITION BY",
            ),
            ("ALTER TABLE t ADD a INT REMOVE PARTITIONING", "alter t; add a int; ~REMOVE PARTITIONING"),
            ("ALTER TABLE t ADD a INT FROBNICATE", "unknown"),
            ("ALTER TABLE t ADD a", "unknown"),
            ("ALTER TABLE t ADD a INT,", "unknown"),
            ("ALTER TABLE t ADD (a INT", "unknown"),
            ("ALTER TABLE t ADD a INT b INT", "unknown"),
        ],
    );
}

#[test]
fn defaults_keep_what_kind_of_literal_they_are() {
    check(
        mysql(),
        &[
            ("ALTER TABLE t ADD a INT DEFAULT -5", "alter t; add a int =-5"),
            ("ALTER TABLE t ADD a INT DEFAULT +5 NOT NULL", "alter t; add a int notnull =5"),
            ("ALTER TABLE t ADD a DOUBLE DEFAULT -1.5e-3", "alter t; add a double =-1.5e-3"),
            ("ALTER TABLE t ADD a DECIMAL(5,2) DEFAULT .5", "alter t; add a decimal(5,2) =.5"),
            (
                "ALTER TABLE t ADD a BOOL DEFAULT TRUE, ADD b BOOL DEFAULT false",
                "alter t; add a bool =1; add b bool =0",
            ),
            ("ALTER TABLE t ADD a INT NULL DEFAULT NULL", "alter t; add a int null =null"),
            (
                "ALTER TABLE t ADD a BIT(3) DEFAULT b'101', ADD b BIT(3) DEFAULT 0b11",
                "alter t; add a bit(3) =0b101; add b bit(3) =0b11",
            ),
            (
                "ALTER TABLE t ADD a BINARY(2) DEFAULT x'0aFF', ADD b INT DEFAULT 0x10",
                "alter t; add a binary(2) =0x0aFF; add b int =0x10",
            ),
            ("ALTER TABLE t ADD a TEXT DEFAULT 'a' 'b' \"c\"", "alter t; add a text ='abc'"),
            (
                "ALTER TABLE t ADD a VARCHAR(9) DEFAULT 'it''s\\n\\\\x\\'\\%'",
                "alter t; add a varchar(9) ='it's\n\\x'\\%'",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(9) DEFAULT _utf8mb4'abc', ADD b VARCHAR(9) DEFAULT N'n'",
                "alter t; add a varchar(9) ='abc'; add b varchar(9) ='n'",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(9) DEFAULT _latin1'\u{e9}'",
                "alter t; add a varchar(9) =expr<_latin1'\u{e9}'>",
            ),
            (
                "ALTER TABLE t ADD a DATE DEFAULT DATE'2020-01-02'",
                "alter t; add a date =expr<DATE'2020-01-02'>",
            ),
            ("ALTER TABLE t ADD a TEXT DEFAULT _ucs2 'AB'", "alter t; add a text =expr<_ucs2 'AB'>"),
            ("ALTER TABLE t ADD a TEXT DEFAULT _binary 'AB'", "alter t; add a text =expr<_binary 'AB'>"),
            ("ALTER TABLE t ADD a YEAR(2)", "alter t; add a year"),
            ("ALTER TABLE t ADD e ENUM(_ucs2 'AB')", "unknown"),
            ("ALTER TABLE t ADD e ENUM(N'\u{e9}')", "unknown"),
            (
                "ALTER TABLE t ADD a DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
                "alter t; add a datetime =now(0) onupdate",
            ),
            (
                "ALTER TABLE t ADD a TIMESTAMP(3) NOT NULL DEFAULT NOW(3) ON UPDATE CURRENT_TIMESTAMP(3)",
                "alter t; add a timestamp(3) notnull =now(3) onupdate",
            ),
            (
                "ALTER TABLE t ADD a DATETIME(6) DEFAULT LOCALTIMESTAMP(6), ADD b DATETIME DEFAULT LOCALTIME()",
                "alter t; add a datetime(6) =now(6); add b datetime =now(0)",
            ),
            ("ALTER TABLE t ADD a DATETIME DEFAULT (NOW())", "alter t; add a datetime =expr<NOW()>"),
            (
                "ALTER TABLE t ADD a INT DEFAULT (5), ADD b TEXT DEFAULT ('x')",
                "alter t; add a int =expr<5>; add b text =expr<'x'>",
            ),
            ("ALTER TABLE t ADD a CHAR(36) DEFAULT (UUID())", "alter t; add a char(36) =expr<UUID()>"),
            (
                "ALTER TABLE t ADD a JSON DEFAULT (JSON_OBJECT('k', JSON_ARRAY(1, 2))) COMMENT 'x'",
                "alter t; add a json =expr<JSON_OBJECT('k', JSON_ARRAY(1, 2))>",
            ),
            ("ALTER TABLE t ADD a INT DEFAULT (1 + 2)", "alter t; add a int =expr<1 + 2>"),
            (
                "ALTER TABLE t ADD a CHAR(36) DEFAULT uuid() NOT NULL",
                "alter t; add a char(36) notnull =expr<uuid()>",
            ),
            ("ALTER TABLE t ADD a DATE DEFAULT CURRENT_DATE", "alter t; add a date =expr<CURRENT_DATE>"),
            ("ALTER TABLE t ADD a INT DEFAULT b", "unknown"),
            ("ALTER TABLE t ADD a INT DEFAULT", "unknown"),
            ("ALTER TABLE t ADD a INT DEFAULT 1 + 2", "unknown"),
            ("ALTER TABLE t ADD a INT DEFAULT - 'x'", "unknown"),
        ],
    );
}

#[test]
fn columns_change_move_and_go() {
    check(
        mysql(),
        &[
            ("ALTER TABLE t CHANGE a b INT", "alter t; change a b int"),
            (
                "ALTER TABLE t CHANGE COLUMN `a` `a` BIGINT NOT NULL AFTER `c`",
                "alter t; change a a bigint notnull after c",
            ),
            ("ALTER TABLE t CHANGE IF EXISTS a b INT FIRST", "alter t; change ? a b int first"),
            ("ALTER TABLE t MODIFY a VARCHAR(100)", "alter t; change a a varchar(100)"),
            ("ALTER TABLE t MODIFY COLUMN IF EXISTS a INT", "alter t; change ? a a int"),
            (
                "ALTER TABLE t MODIFY a INT FIRST, MODIFY b INT AFTER a",
                "alter t; change a a int first; change b b int after a",
            ),
            ("ALTER TABLE t RENAME COLUMN a TO b", "alter t; rename a b"),
            ("ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a", "alter t; rename a b; rename b a"),
            ("ALTER TABLE t RENAME COLUMN IF EXISTS a TO b", "alter t; rename ? a b"),
            ("ALTER TABLE t DROP a", "alter t; drop a"),
            (
                "ALTER TABLE t DROP COLUMN a, DROP `b` RESTRICT, DROP IF EXISTS c CASCADE",
                "alter t; drop a; drop b; drop ? c",
            ),
            ("ALTER TABLE t ALTER a SET DEFAULT 5", "alter t; default a Number(\"5\")"),
            (
                "ALTER TABLE t ALTER COLUMN a SET DEFAULT (uuid())",
                "alter t; default a Expression(\"uuid()\")",
            ),
            (
                "ALTER TABLE t ALTER a DROP DEFAULT, ALTER b SET INVISIBLE",
                "alter t; default a None; ~ALTER COLUMN",
            ),
            ("ALTER TABLE t RENAME TO u", "alter t; to u"),
            ("ALTER TABLE t RENAME AS shop.u, ADD a INT", "alter t; add a int; to shop.u"),
            ("ALTER TABLE t RENAME u", "alter t; to u"),
            ("ALTER TABLE t RENAME = u", "alter t; to u"),
            (
                "ALTER TABLE t RENAME INDEX a TO b, RENAME KEY `c` TO `d`",
                "alter t; rename index a b; rename index c d",
            ),
            ("ALTER TABLE t RENAME `column` TO x", "unknown"),
            ("ALTER TABLE t RENAME COLUMN a b", "unknown"),
        ],
    );
}

#[test]
fn keys_are_followed_and_other_indexes_are_not() {
    check(
        mysql(),
        &[
            ("ALTER TABLE t ADD PRIMARY KEY (a, `b`)", "alter t; primary a,b"),
            ("ALTER TABLE t ADD CONSTRAINT PRIMARY KEY pk USING BTREE (a) COMMENT 'x'", "alter t; primary a"),
            ("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (b)", "alter t; drop primary; primary b"),
            ("ALTER TABLE t ADD UNIQUE (a)", "alter t; unique - a"),
            ("ALTER TABLE t ADD UNIQUE KEY `u` (a DESC, b(5)) USING HASH VISIBLE", "alter t; unique u a,b"),
            ("ALTER TABLE t ADD CONSTRAINT c UNIQUE INDEX (a)", "alter t; unique c a"),
            ("ALTER TABLE t ADD UNIQUE u ((a + b))", "alter t; unique u ?"),
            (
                "ALTER TABLE t ADD INDEX i (a), ADD KEY (b), ADD FULLTEXT KEY f (c), ADD SPATIAL (g)",
                "alter t; ~INDEX; ~INDEX; ~INDEX; ~INDEX",
            ),
            (
                "ALTER TABLE t ADD INDEX IF NOT EXISTS i ((CAST(j->'$.a' AS UNSIGNED ARRAY)), b)",
                "alter t; ~INDEX",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES u (id) ON DELETE CASCADE, ADD b INT",
                "alter t; cascade fk; add b int",
            ),
            ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id)", "alter t; ~FOREIGN KEY"),
            (
                "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id) ON DELETE RESTRICT ON UPDATE CASCADE, ADD b INT",
                "alter t; cascade -; add b int",
            ),
            (
                "ALTER TABLE t ADD FOREIGN KEY ix (a) REFERENCES `on` (`delete`, `cascade`) MATCH FULL ON DELETE SET NULL",
                "alter t; cascade ix",
            ),
            (
                "ALTER TABLE t ADD (FOREIGN KEY (a) REFERENCES u (id) ON UPDATE SET DEFAULT, INDEX (a))",
                "alter t; cascade -; ~INDEX",
            ),
            (
                "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id) ON DELETE NO ACTION ON UPDATE RESTRICT",
                "alter t; ~FOREIGN KEY",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT CHECK (a > 0), ADD CONSTRAINT c CHECK (b <> ',')",
                "alter t; ~CHECK; ~CHECK",
            ),
            (
                "ALTER TABLE t DROP INDEX i, DROP KEY `PRIMARY`, DROP CONSTRAINT c",
                "alter t; drop index i; drop primary; drop index c",
            ),
            (
                "ALTER TABLE t DROP FOREIGN KEY IF EXISTS f, DROP CHECK c",
                "alter t; drop foreign key f; ~DROP CHECK",
            ),
            (
                "ALTER TABLE t ALTER INDEX i INVISIBLE, ALTER CHECK c NOT ENFORCED",
                "alter t; ~ALTER INDEX; ~ALTER CHECK",
            ),
            ("ALTER TABLE t ALTER INDEX i NOT IGNORED", "alter t; ~ALTER INDEX"),
            ("ALTER IGNORE TABLE t ADD UNIQUE (a)", "alter t ignore; unique - a"),
            ("ALTER ONLINE IGNORE TABLE t ADD a INT", "alter t ignore; add a int"),
            ("ALTER TABLE t ADD UNIQUE (a WITHOUT OVERLAPS)", "unknown"),
        ],
    );
}

#[test]
fn options_are_neutral_and_what_moves_rows_is_not() {
    check(
        mysql(),
        &[
            ("ALTER TABLE t", "alter t"),
            ("ALTER TABLE IF EXISTS t NOWAIT ENGINE=InnoDB", "alter t; ~ENGINE"),
            ("ALTER TABLE t ENGINE = Blackhole", "alter t; engine Blackhole"),
            (
                "ALTER TABLE t COMMENT='a, b' ROW_FORMAT DYNAMIC KEY_BLOCK_SIZE=8, AUTO_INCREMENT = 100",
                "alter t; ~COMMENT; ~ROW_FORMAT; ~KEY_BLOCK_SIZE; ~AUTO_INCREMENT",
            ),
            (
                "ALTER TABLE t STATS_PERSISTENT=DEFAULT STATS_SAMPLE_PAGES=20, ENCRYPTION='Y'",
                "alter t; ~STATS_PERSISTENT; ~STATS_SAMPLE_PAGES; ~ENCRYPTION",
            ),
            (
                "ALTER TABLE t DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
                "alter t; charset utf8mb4 utf8mb4_bin",
            ),
            ("ALTER TABLE t CHARACTER SET latin1", "alter t; charset latin1 -"),
            ("ALTER TABLE t COLLATE utf8mb4_bin", "alter t; charset - utf8mb4_bin"),
            (
                "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
                "alter t; convert utf8mb4 utf8mb4_0900_bin",
            ),
            ("ALTER TABLE t CONVERT TO CHARSET DEFAULT", "alter t; convert - -"),
            ("ALTER TABLE t FORCE, DISABLE KEYS, ENABLE KEYS", "alter t; ~FORCE; ~KEYS; ~KEYS"),
            ("ALTER TABLE t ORDER BY a, b DESC, ADD c INT", "alter t; ~ORDER BY; add c int"),
            (
                "ALTER TABLE t ADD PARTITION (PARTITION p3 VALUES LESS THAN (30), PARTITION p4 VALUES LESS THAN MAXVALUE)",
                "alter t; ~ADD PARTITION",
            ),
            ("ALTER TABLE t ADD PARTITION PARTITIONS 2", "alter t; ~ADD PARTITION"),
            (
                "ALTER TABLE t REORGANIZE PARTITION p0, p1 INTO (PARTITION p VALUES LESS THAN (9))",
                "alter t; MOVES REORGANIZE PARTITION",
            ),
            (
                "ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION p VALUES LESS THAN (9) ENGINE = InnoDB COMMENT 'a, b', \
                 PARTITION q VALUES LESS THAN MAXVALUE (SUBPARTITION s, SUBPARTITION r))",
                "alter t; ~REORGANIZE PARTITION",
            ),
            (
                "ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION p VALUES LESS THAN (MAXVALUE, MAXVALUE))",
                "alter t; ~REORGANIZE PARTITION",
            ),
            (
                "ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION p VALUES LESS THAN (5, MAXVALUE))",
                "alter t; MOVES REORGANIZE PARTITION",
            ),
            (
                "ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION p VALUES IN (1), PARTITION q VALUES IN (2))",
                "alter t; MOVES REORGANIZE PARTITION",
            ),
            ("ALTER TABLE t REORGANIZE PARTITION", "alter t; ~REORGANIZE PARTITION"),
            ("ALTER TABLE t COALESCE PARTITION 2", "alter t; ~COALESCE PARTITION"),
            ("ALTER TABLE t REBUILD PARTITION ALL", "alter t; MOVES REBUILD PARTITION"),
            (
                "ALTER TABLE t PARTITION BY LIST (a) (PARTITION p VALUES IN (1,2), PARTITION q VALUES IN (3))",
                "alter t; ~PARTITION BY",
            ),
            ("ALTER TABLE t REMOVE PARTITIONING", "alter t; ~REMOVE PARTITIONING"),
            ("ALTER TABLE t ANALYZE PARTITION p0, p1", "alter t; ~ANALYZE PARTITION"),
            ("ALTER TABLE t DROP PARTITION p0, p1", "alter t; MOVES DROP PARTITION"),
            ("ALTER TABLE t DROP PARTITION IF EXISTS p0", "alter t; MOVES DROP PARTITION"),
            ("ALTER TABLE t TRUNCATE PARTITION ALL", "alter t; MOVES TRUNCATE PARTITION"),
            (
                "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE s.u WITHOUT VALIDATION",
                "alter t; MOVES EXCHANGE PARTITION; with s.u",
            ),
            ("ALTER TABLE t DISCARD PARTITION p TABLESPACE", "alter t; MOVES DISCARD TABLESPACE"),
            ("ALTER TABLE t IMPORT TABLESPACE", "alter t; MOVES IMPORT TABLESPACE"),
            ("ALTER TABLE t DISCARD TABLESPACE", "alter t; MOVES DISCARD TABLESPACE"),
            ("ALTER TABLE t CONVERT PARTITION p TO TABLE u", "alter t; MOVES CONVERT PARTITION; with u"),
            ("ALTER TABLE t UNION=(a,b)", "alter t; MOVES UNION"),
            ("ALTER TABLE t ADD SYSTEM VERSIONING", "alter t; MOVES SYSTEM VERSIONING"),
            ("ALTER TABLE t ADD PERIOD FOR p (a, b)", "alter t; period a,b"),
            ("ALTER TABLE t ADD PERIOD FOR SYSTEM_TIME (a, b)", "alter t; MOVES SYSTEM VERSIONING"),
            ("ALTER TABLE t DROP PERIOD IF EXISTS FOR p", "alter t; ~DROP PERIOD"),
            ("ALTER TABLE t ADD period INT, DROP period", "alter t; add period int; drop period"),
            ("ALTER TABLE t DROP SYSTEM VERSIONING", "alter t; MOVES SYSTEM VERSIONING"),
            ("ALTER TABLE t SOMETHING = 5", "unknown"),
            ("ALTER TABLE t ADD a INT, SOMETHING", "unknown"),
        ],
    );
}

#[test]
fn a_flavour_means_something_else_by_the_same_words() {
    check(
        mariadb(),
        &[
            ("ALTER TABLE t ADD j JSON", "alter t; add j longtext character set utf8mb4 collate utf8mb4_bin"),
            ("ALTER TABLE t ADD a INT /*M!100301 NOT NULL */", "alter t; add a int notnull"),
            ("ALTER TABLE t ADD a VARCHAR(9) COMPRESSED=zlib", "alter t; add a varchar(9)"),
            ("ALTER TABLE t ADD u UUID", "alter t; add u uuid"),
        ],
    );
    check(mysql(), &[("ALTER TABLE t ADD a INT /*M!100301 NOT NULL */", "alter t; add a int")]);
    check(SqlMode::from_bits(0), &[("ALTER TABLE t ADD a INT /*M!100301 NOT NULL */", "unknown")]);
    check(SqlMode::from_bits(1), &[("ALTER TABLE t ADD a REAL(7,3)", "alter t; add a float(7,3)")]);
    check(
        mariadb(),
        &[
            (
                "ALTER TABLE t ADD a INT DEFAULT (5), ADD b INT DEFAULT ('6')",
                "alter t; add a int =5; add b int ='6'",
            ),
            (
                "ALTER TABLE t ADD a INT DEFAULT X'31', ADD b INT DEFAULT 0x31",
                "alter t; add a int =expr<X'31'>; add b int =expr<0x31>",
            ),
            ("ALTER TABLE t ADD a YEAR(2)", "alter t; add a year(2)"),
        ],
    );
    let oracle = mariadb_in(0x200);
    check(
        oracle,
        &[
            (
                "ALTER TABLE t ADD a DATE, ADD b NUMBER, ADD c NUMBER(5,1)",
                "alter t; add a datetime; add b double; add c decimal(5,1)",
            ),
            (
                "ALTER TABLE t ADD a CLOB, ADD b RAW(5), ADD c VARCHAR2(9)",
                "alter t; add a longtext; add b varbinary(5); add c varchar(9)",
            ),
            (
                "ALTER TABLE t ADD a BLOB, ADD b BLOB(9), ADD c DOUBLE PRECISION",
                "alter t; add a longblob; add b blob(9); add c double precision",
            ),
        ],
    );
    let mysqls_oracle = SqlMode::from_bits(0x200).with_flavour(Flavour::MySql);
    check(mysqls_oracle, &[("ALTER TABLE t ADD a DATE", "alter t; add a date")]);
    check(SqlMode::from_bits(0x1000), &[("ALTER TABLE t ADD a TIMESTAMP(3)", "alter t; add a datetime(3)")]);
    check(mariadb_in(1 << 32), &[("ALTER TABLE t ADD a TEXT DEFAULT ''", "alter t; add a text =null")]);
    let truncating = SqlMode::from_bits(1 << 32).with_flavour(Flavour::MySql);
    check(truncating, &[("ALTER TABLE t ADD a TEXT DEFAULT ''", "alter t; add a text =''")]);
    let implicit = SqlMode::from_bits(0).with_explicit_timestamps(false);
    check(
        implicit,
        &[
            ("ALTER TABLE t ADD a TIMESTAMP", "alter t; add a timestamp notnull =old"),
            ("ALTER TABLE t ADD a TIMESTAMP NULL", "alter t; add a timestamp null"),
            ("ALTER TABLE t ADD a TIMESTAMP DEFAULT 0", "alter t; add a timestamp notnull =0"),
        ],
    );
}
