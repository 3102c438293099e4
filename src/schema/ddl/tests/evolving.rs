use super::*;
use crate::schema::{MySqlType, SchemaError};

fn shop() -> Table {
    let mut table = table(
        &[("id", "int", false), ("a", "int", true), ("b", "varchar(20)", false), ("c", "text", true)],
        &[0],
    );
    table.unique_keys = vec![
        UniqueKey { name: "by_b".into(), columns: vec![2] },
        UniqueKey { name: "b".into(), columns: vec![2, 0] },
    ];
    table
}

fn after(before: &Table, sql: &str) -> Result<Evolved, SchemaError> {
    match read(sql, mysql()) {
        Statement::AlterTable(alter) | Statement::CreateIndex(alter) | Statement::DropIndex(alter) => {
            evolve(before, &alter, Defaults::of(&told(), Some(Flavour::MySql)))
        }
        other => panic!("{sql} was read as {other:?}"),
    }
}

/// Columns as `name<origin`, then the keys.
fn shape(before: &Table, sql: &str) -> String {
    let Evolved { table, origin } = match after(before, sql) {
        Ok(evolved) => evolved,
        Err(error) => return error.to_string(),
    };
    let columns: Vec<String> = table
        .columns
        .iter()
        .zip(&origin)
        .map(|(column, from)| {
            let from = from.map_or("+".into(), |from| from.to_string());
            format!("{}{}{from}", column.name, if column.nullable { "?" } else { ":" })
        })
        .collect();
    let key = |columns: &[usize]| {
        columns.iter().map(|index| table.columns[*index].name.as_str()).collect::<Vec<_>>().join(",")
    };
    let unique: Vec<String> =
        table.unique_keys.iter().map(|unique| format!("{}({})", unique.name, key(&unique.columns))).collect();
    format!("{} pk({}) {}", columns.join(" "), key(&table.primary_key), unique.join(" "))
}

#[test]
fn columns_land_where_the_server_puts_them() {
    let keys = "by_b(b) b(b,id)";
    for (sql, expected) in [
        ("ALTER TABLE t ADD x INT", "id:0 a?1 b:2 c?3 x?+"),
        ("ALTER TABLE t ADD x INT FIRST, ADD y INT FIRST", "y?+ x?+ id:0 a?1 b:2 c?3"),
        ("ALTER TABLE t ADD x INT AFTER a, ADD y INT AFTER x", "id:0 a?1 x?+ y?+ b:2 c?3"),
        ("ALTER TABLE t ADD x INT AFTER A", "id:0 a?1 x?+ b:2 c?3"),
        ("ALTER TABLE t MODIFY c TEXT FIRST", "c?3 id:0 a?1 b:2"),
        ("ALTER TABLE t MODIFY a INT AFTER c, ADD x INT AFTER a", "id:0 b:2 c?3 a?1 x?+"),
        ("ALTER TABLE t CHANGE a z BIGINT NOT NULL", "id:0 z:1 b:2 c?3"),
        ("ALTER TABLE t RENAME COLUMN a TO c, RENAME COLUMN c TO a", "id:0 c?1 b:2 a?3"),
        ("ALTER TABLE t RENAME COLUMN a TO z, ADD x INT AFTER z", "id:0 z?1 x?+ b:2 c?3"),
        ("ALTER TABLE t DROP a, ADD a TEXT FIRST", "a?+ id:0 b:2 c?3"),
        ("ALTER TABLE t DROP COLUMN c, DROP COLUMN IF EXISTS nope", "id:0 a?1 b:2"),
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a TEXT, ADD COLUMN IF NOT EXISTS x INT",
            "id:0 a?1 b:2 c?3 x?+",
        ),
        ("ALTER TABLE t CHANGE IF EXISTS nope x INT", "id:0 a?1 b:2 c?3"),
        ("ALTER TABLE t MODIFY a INT AFTER c, MODIFY c TEXT AFTER a", "id:0 b:2 a?1 c?3"),
        ("ALTER TABLE t MODIFY a INT AFTER b, MODIFY b VARCHAR(20) NOT NULL FIRST", "b:2 id:0 a?1 c?3"),
        (
            "ALTER TABLE t ADD x INT AFTER c, MODIFY c TEXT FIRST, ADD y INT AFTER c",
            "c?3 y?+ id:0 a?1 b:2 x?+",
        ),
        ("ALTER TABLE t COMMENT = 'x', FORCE", "id:0 a?1 b:2 c?3"),
    ] {
        assert_eq!(shape(&shop(), sql), format!("{expected} pk(id) {keys}"), "{sql}");
    }
}

#[test]
fn keys_follow_their_columns() {
    for (sql, expected) in [
        ("ALTER TABLE t DROP PRIMARY KEY", "id:0 a?1 b:2 c?3 pk() by_b(b) b(b,id)"),
        (
            "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, id)",
            "id:0 a:1 b:2 c?3 pk(a,id) by_b(b) b(b,id)",
        ),
        ("ALTER TABLE t DROP COLUMN b", "id:0 a?1 c?3 pk(id) b(id)"),
        ("ALTER TABLE t MODIFY b VARCHAR(20) NULL", "id:0 a?1 b?2 c?3 pk(id) "),
        ("ALTER TABLE t MODIFY id BIGINT", "id:0 a?1 b:2 c?3 pk(id) by_b(b) b(b,id)"),
        ("ALTER TABLE t DROP INDEX by_b", "id:0 a?1 b:2 c?3 pk(id) b(b,id)"),
        ("ALTER TABLE t RENAME INDEX by_b TO x", "id:0 a?1 b:2 c?3 pk(id) x(b) b(b,id)"),
        (
            "ALTER TABLE t RENAME INDEX by_b TO b, RENAME INDEX b TO by_b",
            "id:0 a?1 b:2 c?3 pk(id) b(b) by_b(b,id)",
        ),
        ("ALTER TABLE t RENAME INDEX by_b TO b, DROP INDEX b", "id:0 a?1 b:2 c?3 pk(id) b(b)"),
        ("ALTER TABLE t ADD UNIQUE (a)", "id:0 a?1 b:2 c?3 pk(id) by_b(b) b(b,id)"),
        ("ALTER TABLE t ADD UNIQUE (b)", "id:0 a?1 b:2 c?3 pk(id) by_b(b) b(b,id) b_2(b)"),
        ("ALTER TABLE t ADD x INT NOT NULL UNIQUE", "id:0 a?1 b:2 c?3 x:+ pk(id) by_b(b) b(b,id) x(x)"),
        // The server finds a key's column again by its name, even if another bears it now.
        ("ALTER TABLE t DROP b, ADD b INT NOT NULL", "id:0 a?1 c?3 b:+ pk(id) by_b(b) b(b,id)"),
        ("ALTER TABLE t CHANGE b x TEXT NOT NULL, ADD b INT", "id:0 a?1 x:2 c?3 b?+ pk(id) by_b(x) b(x,id)"),
        ("CREATE UNIQUE INDEX u ON t (id, b)", "id:0 a?1 b:2 c?3 pk(id) by_b(b) b(b,id) u(id,b)"),
        ("DROP INDEX `PRIMARY` ON t", "id:0 a?1 b:2 c?3 pk() by_b(b) b(b,id)"),
        // The number after a name that was given by the server cannot be known: the key counts as gone.
        ("DROP INDEX by_b_2 ON t", "id:0 a?1 b:2 c?3 pk(id) b(b,id)"),
    ] {
        assert_eq!(shape(&shop(), sql), expected, "{sql}");
    }
}

#[test]
fn what_does_not_fit_the_definition_is_an_error() {
    for sql in [
        "ALTER TABLE t DROP COLUMN nope",
        "ALTER TABLE t CHANGE nope x INT",
        "ALTER TABLE t RENAME COLUMN nope TO x",
        "ALTER TABLE t ADD x INT AFTER nope",
        "ALTER TABLE t ADD a INT",
        "ALTER TABLE t CHANGE a x INT AFTER c, CHANGE c a TEXT AFTER b",
        "ALTER TABLE t MODIFY a INT AFTER a",
        "ALTER TABLE t RENAME COLUMN a TO b",
        "ALTER TABLE t ADD PRIMARY KEY (a)",
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (nope)",
        "ALTER TABLE t ADD UNIQUE u (nope)",
    ] {
        assert!(matches!(after(&shop(), sql), Err(SchemaError::Misfit { .. })), "{sql}");
    }
    assert!(matches!(
        after(&shop(), "ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT"),
        Err(SchemaError::Uncertain { .. })
    ));
    assert!(matches!(
        after(&shop(), "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, MODIFY c TEXT CHARSET latin1"),
        Err(SchemaError::Uncertain { .. })
    ));
    let Statement::AlterTable(alter) = read("ALTER TABLE t ADD x TIMESTAMP", SqlMode::default()) else {
        panic!("not read");
    };
    assert!(matches!(
        evolve(&shop(), &alter, Defaults::of(&told(), None)),
        Err(SchemaError::Uncertain { .. })
    ));
}

#[test]
fn text_is_declared_in_the_tables_character_set() {
    let evolved =
        after(&shop(), "ALTER TABLE t DEFAULT CHARSET latin1, ADD x CHAR(3), ADD y CHAR(3) CHARSET gbk");
    let table = evolved.unwrap().table;
    assert_eq!(table.columns[4].data_type, MySqlType::Char { length: 3, charset: charset("latin1", None) });
    assert_eq!(table.columns[5].data_type, MySqlType::Char { length: 3, charset: charset("gbk", None) });
    assert_eq!(
        table.columns[2].data_type,
        MySqlType::VarChar { length: 20, charset: charset("utf8mb4", None) }
    );
    assert_eq!(table.charset, charset("latin1", None));
}

#[test]
fn a_conversion_widens_text_that_may_need_more_bytes() {
    let latin1 = charset("latin1", None);
    let mut before = shop();
    before.charset = latin1.clone();
    for (declared, expected) in [
        ("tinytext", "text"),
        ("text", "mediumtext"),
        ("mediumtext", "longtext"),
        ("longtext", "longtext"),
        ("varchar(20)", "varchar(20)"),
        ("varchar(60000)", "mediumtext"),
        ("enum('a','b')", "enum('a','b')"),
        ("varbinary(9)", "varbinary(9)"),
    ] {
        before.columns[3].data_type = column_type::parse(declared, &latin1);
        let evolved = after(&before, "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4").unwrap();
        let expected = column_type::parse(expected, &charset("utf8mb4", None));
        assert_eq!(evolved.table.columns[3].data_type, expected, "{declared}");
        assert_eq!(evolved.table.charset.name, "utf8mb4");
    }
}
