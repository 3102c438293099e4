//! Keys that cannot be followed exactly: all are told at once, each with its reason, and the user may accept them.

use crate::harness::{DEADLINE, Mysql, Scene, mariadb, mysql56, postgres, rowferry};

const FAMILY: &str = "CREATE TABLE p (id INT PRIMARY KEY, k VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_swedish_ci UNIQUE, d DATE UNIQUE, \
      n INT, m INT, UNIQUE (n, m)) ENGINE = InnoDB; \
    CREATE TABLE away (id INT PRIMARY KEY) ENGINE = InnoDB; \
    CREATE TABLE text_key (id INT PRIMARY KEY, k VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_swedish_ci, \
      CONSTRAINT by_text FOREIGN KEY (k) REFERENCES p (k) ON DELETE CASCADE) ENGINE = InnoDB; \
    CREATE TABLE date_key (id INT PRIMARY KEY, d DATE, CONSTRAINT by_date FOREIGN KEY (d) REFERENCES p (d) ON DELETE SET NULL) ENGINE = InnoDB; \
    CREATE TABLE lost_key (id INT PRIMARY KEY, p INT, CONSTRAINT by_away FOREIGN KEY (p) REFERENCES away (id) ON DELETE CASCADE) ENGINE = InnoDB; \
    CREATE TABLE shares (id INT PRIMARY KEY, n INT, m INT, CONSTRAINT both FOREIGN KEY (n, m) REFERENCES p (n, m) ON DELETE SET NULL, \
      CONSTRAINT one FOREIGN KEY (n) REFERENCES p (id) ON DELETE CASCADE) ENGINE = InnoDB; \
    CREATE TABLE fine (id INT PRIMARY KEY, p INT, CONSTRAINT by_id FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE) ENGINE = InnoDB; \
    INSERT INTO p VALUES (1, 'a', '2020-01-01', 1, 1), (2, 'b', '2020-01-02', 2, 2); INSERT INTO text_key VALUES (1, 'A'), (2, 'B'); \
    INSERT INTO fine VALUES (1, 1), (2, 2)";

#[tokio::test]
async fn all_keys_that_cannot_be_followed_are_told_at_once() {
    for mysql in [mysql56().await, mariadb().await] {
        check(mysql).await;
    }
}

async fn check(mysql: &Mysql) {
    let name = format!("cascades_refused_{}", mysql.kind());
    let scene = Scene::on(mysql, postgres().await, &name).await;
    scene.source.sql(&FAMILY.replace("CONSTRAINT both", "CONSTRAINT `both`")).await;
    let config = scene.config().task("tables", &format!("[\"{name}.*\", \"!{name}.away\"]"));
    let output = rowferry(&["check", "-c", &config.file()]).await;
    assert_eq!(output.code, 1, "{}{}", output.stdout, output.stderr);
    let told: Vec<&str> = output.stdout.lines().filter(|line| line.contains("FAIL")).collect();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    for (key, why) in [
        ("text_key.by_text", "collation latin1_swedish_ci"),
        ("date_key.by_date", "zero_dates"),
        ("lost_key.by_away", "not among the tables"),
        ("shares.both", "shares column n with one"),
        ("shares.one", "shares column n with both"),
    ] {
        assert!(told.contains(&format!("{name}.{key}: ")) && told.contains(why), "{key}: {told}");
    }
    assert!(!told.contains("by_id"), "{told}");
    assert!(output.stdout.contains("accept_cascades = ["), "{}", output.stdout);
    // A pattern accepts them, what can be followed is followed all the same, and the status goes on telling.
    let daemon = scene.start_with(&config.task("accept_cascades", &format!("[\"{name}.*\"]"))).await;
    scene.source.sql("DELETE FROM p WHERE id = 2").await;
    scene.wait_applied(&daemon).await;
    scene.assert_equal("fine").await;
    assert!(scene.equal("text_key").await.is_err(), "it cannot be followed");
    let task = daemon.wait_task("it is told", DEADLINE, |task| !task.not_followed.is_empty()).await;
    assert_eq!(task.not_followed.len(), 5, "{:?}", task.not_followed);
    assert!(task.not_followed.iter().any(|told| told.starts_with(&format!("{name}.text_key.by_text: "))));
    let page = daemon.get("/").await.unwrap().1;
    assert!(page.contains("text_key.by_text"), "{page}");
}
