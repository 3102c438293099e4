//! LOAD DATA, from a file of the server and from one of the client, into carried tables.

use crate::harness::{Kind, MysqlSession, Scene, on_every_kind, postgres, run_folder};
use futures_util::{StreamExt, stream};
use std::fmt::Write;

/// Runs LOAD DATA LOCAL with this file's contents.
async fn load_local(session: &mut MysqlSession, sql: &str, contents: Vec<u8>) {
    session.connection().set_infile_handler(async move {
        let pieces: Vec<std::io::Result<bytes::Bytes>> =
            contents.chunks(10_000).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
        Ok(stream::iter(pieces).boxed())
    });
    session.sql(sql).await;
}

async fn loaded(kind: Kind) {
    let mysql = kind.private(&["--local-infile=ON"]).await;
    let name = format!("loaded_{}", kind.name());
    let scene = Scene::on(&mysql, postgres().await, &name).await;
    scene
        .source
        .sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v TEXT, d DECIMAL(20,4), at DATETIME, raw VARBINARY(20)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4; \
             CREATE TABLE k (id INT AUTO_INCREMENT PRIMARY KEY, u VARCHAR(20) UNIQUE, n INT NOT NULL DEFAULT 5) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4; \
             CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20)) ENGINE = InnoDB; \
             CREATE TRIGGER tr AFTER INSERT ON k FOR EACH ROW INSERT INTO log (what) VALUES (NEW.u); \
             INSERT INTO k (u) VALUES ('old'), ('older')",
        )
        .await;
    let daemon = scene.start().await;
    let odd = "1\ttab\\tnew\\\nline \\\\ end\t1.5\t2020-01-01 10:00:00\tab\\0c\n2\t\\N\t\\N\t\\N\t\\N\n3\té中😀\t-0.0001\t9999-12-31 23:59:59\t\n";
    let mut many = String::new();
    for id in 10..20_010 {
        let _ = writeln!(many, "{id}\t{}\t{id}.25\t2021-02-03 04:05:06\t{id:x}", "x".repeat(id % 300));
    }
    let (odd_file, many_file, keys_file) =
        (format!("{name}.odd"), format!("{name}.many"), format!("{name}.keys"));
    let path = |file: &str| run_folder().join(file).display().to_string();
    std::fs::write(path(&odd_file), odd).unwrap();
    std::fs::write(path(&many_file), &many).unwrap();
    let keys = "u;n\n\"old\";1\n\"n;e\"\"w\";2\n\"caf\u{e9}\";3\n";
    std::fs::write(path(&keys_file), keys).unwrap();
    let mut session = scene.source.session().await;
    session.sql("SET NAMES utf8mb4").await;
    let tables = ["t", "k", "log"];

    session.sql(&format!("LOAD DATA INFILE '{}' INTO TABLE t CHARACTER SET utf8mb4", path(&odd_file))).await;
    scene.assert_exact(&daemon, &tables).await;
    session.sql("DELETE FROM t").await;
    load_local(&mut session, "LOAD DATA LOCAL INFILE 'odd' INTO TABLE t CHARACTER SET utf8mb4", odd.into())
        .await;
    scene.assert_exact(&daemon, &tables).await;
    assert_eq!(
        scene.target.one(&format!("SELECT v FROM {name}.t WHERE id = 1")).await,
        "tab\tnew\nline \\ end"
    );

    session
        .sql(&format!(
            "BEGIN; UPDATE t SET d = 7; LOAD DATA INFILE '{}' INTO TABLE t; DELETE FROM t WHERE id % 5 = 0; COMMIT",
            path(&many_file)
        ))
        .await;
    scene.assert_exact(&daemon, &tables).await;
    load_local(&mut session, "LOAD DATA LOCAL INFILE 'many' REPLACE INTO TABLE t", many.into()).await;
    scene.assert_exact(&daemon, &tables).await;
    assert_eq!(scene.target.one(&format!("SELECT count(*) FROM {name}.t")).await, "20003");

    let how = "INTO TABLE k CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';' ENCLOSED BY '\"' IGNORE 1 LINES (u, @n) SET n = @n * 10";
    session.sql(&format!("LOAD DATA INFILE '{}' IGNORE {how}", path(&keys_file))).await;
    scene.assert_exact(&daemon, &tables).await;
    session.sql(&format!("LOAD DATA INFILE '{}' REPLACE {how}", path(&keys_file))).await;
    scene.assert_exact(&daemon, &tables).await;
    let latin =
        "INTO TABLE k CHARACTER SET latin1 FIELDS TERMINATED BY ';' ENCLOSED BY '\"' IGNORE 1 LINES (u, n)";
    let mut bytes = b"u;n\n\"na\xefve\";4\n".to_vec();
    bytes.extend(b"\"old\";9\n");
    load_local(&mut session, &format!("LOAD DATA LOCAL INFILE 'latin' REPLACE {latin}"), bytes).await;
    session
        .sql(&format!(
            "BEGIN; LOAD DATA INFILE '{}' REPLACE {how}; INSERT INTO k (u) VALUES ('gone'); ROLLBACK",
            path(&keys_file)
        ))
        .await;
    scene.assert_exact(&daemon, &tables).await;
    assert_eq!(
        scene
            .target
            .one(&format!("SELECT string_agg(u || '=' || n, ' ' ORDER BY u COLLATE \"C\") FROM {name}.k"))
            .await,
        "café=30 n;e\"w=20 naïve=4 old=9 older=5"
    );
    assert_eq!(daemon.task().await.unwrap().restarts, 0);
}

on_every_kind!(rows_of_loaded_files_arrive, loaded);
