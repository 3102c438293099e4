//! Rules of the config file.

use super::*;
use crate::config::{ExistingTables, StartPosition, Window, render};
use secrecy::ExposeSecret;

const SHORT: &str = r#"
[source.shop]
url = "mysql://repl@db1:3307"
[target.dw]
url = "postgresql://loader@adb/dw"
[task.shop]
source = "shop"
target = "dw"
tables = ["shop.*", "!shop.tmp_*"]
"#;

fn problems(text: &str) -> Vec<String> {
    match parse("test.toml", text, &|_| None) {
        Err(ConfigError::Problems { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
        Ok(_) => Vec::new(),
    }
}

#[test]
fn the_shortest_useful_file_is_enough() {
    let config = parse("test.toml", SHORT, &|_| None).unwrap();
    let source = &config.sources["shop"];
    assert_eq!((source.host.as_str(), source.port, source.user.as_str()), ("db1", 3307, "repl"));
    assert_eq!(config.targets["dw"].database, "dw");
    let task = &config.tasks["shop"];
    assert!(task.tables.contains("shop", "orders"));
    assert!(!task.tables.contains("shop", "tmp_1"));
    assert!(!task.tables.contains("mysql", "user"));
    assert_eq!(task.existing_tables, ExistingTables::Error);
    assert_eq!(task.memory_limit, 256 << 20);
}

#[test]
fn the_example_file_loads_and_shows_every_key() {
    let text = include_str!("../../config.example.toml");
    let environment = |name: &str| Some(format!("value of {name}"));
    let config = parse("config.example.toml", text, &environment).unwrap_or_else(|error| panic!("{error}"));
    // What the effective config prints is what the example documents.
    let effective = render(&config);
    for line in effective.lines() {
        if let Some((key, _)) = line.split_once(" = ") {
            assert!(text.contains(key.trim_matches('"')), "{key} is not in config.example.toml");
        }
    }
}

#[test]
fn what_is_rendered_can_be_read_again() {
    let config = parse("test.toml", SHORT, &|_| None).unwrap();
    let again = parse("test.toml", &render(&config), &|_| None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(render(&again), render(&config));
}

#[test]
fn unknown_keys_are_errors_with_a_suggestion() {
    let text = format!("{SHORT}\nexisting_table = \"clear\"\nfrobnicate = 1\n[deamon]\n");
    let found = problems(&text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().any(
            |p| p.contains("task.shop.existing_table") && p.contains("did you mean \"existing_tables\"?")
        )
    );
    assert!(found.iter().any(|p| p.contains("frobnicate = 1: is not a known key")));
    assert!(found.iter().any(|p| p.contains("deamon") && p.contains("\"daemon\"")));
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(
        r#"
[daemon]
log_format = "xml"
[source.a]
url = "postgresql://x@y"
[task.Big]
source = "a"
target = "b"
tables = ["nodot"]
memory_limit = "1KiB"
snapshot = { parallel = 0 }
"#,
    );
    for part in [
        "daemon.log_format",
        "source.a.url",
        "task.Big:",
        "task.Big.target",
        "task.Big.tables",
        "memory_limit",
        "snapshot.parallel",
    ] {
        assert!(found.iter().any(|problem| problem.contains(part)), "{part} is missing in {found:#?}");
    }
    // The source has a problem of its own; that it cannot be used follows from it.
    assert!(!found.iter().any(|problem| problem.contains("task.Big.source")), "{found:#?}");
}

#[test]
fn keys_of_later_versions_are_refused_not_ignored() {
    let found = problems(&format!("{SHORT}\nindexes = \"non_unique\"\n"));
    assert!(found.iter().any(|p| p.contains("indexes") && p.contains("not supported yet")), "{found:?}");
}

#[test]
fn a_start_position_goes_with_no_copy_only() {
    let config =
        parse("t", &format!("{SHORT}\ninitial = []\nstart_position = \"now\"\n"), &|_| None).unwrap();
    assert_eq!(config.tasks["shop"].start_position, Some(StartPosition::Now));
    for text in ["3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7", "0-1-77,5-2-9", "binlog.000042:4"] {
        let file = format!("{SHORT}\ninitial = []\nstart_position = {text:?}\n");
        let config = parse("t", &file, &|_| None).unwrap();
        let found = match config.tasks["shop"].start_position.as_ref().unwrap() {
            StartPosition::Gtids(gtids) => gtids.to_string(),
            StartPosition::Domains(domains) => domains.to_string(),
            StartPosition::File(file) => file.to_string(),
            StartPosition::Now => "now".to_owned(),
        };
        assert_eq!(found, text);
    }
    for text in ["binlog:4", "binlog.000042", "binlog.000042:x", "0-1", "binlog.x:4"] {
        assert_eq!(
            problems(&format!("{SHORT}\ninitial = []\nstart_position = {text:?}\n")).len(),
            1,
            "{text}"
        );
    }
    assert_eq!(problems(&format!("{SHORT}\ninitial = []\n")).len(), 1);
    assert_eq!(problems(&format!("{SHORT}\nstart_position = \"now\"\n")).len(), 1);
    assert_eq!(problems(&format!("{SHORT}\ninitial = []\nstart_position = \"nonsense\"\n")).len(), 1);
}

#[test]
fn secrets_come_from_one_place_and_are_never_printed() {
    let with = |lines: &str| SHORT.replace("[target.dw]", &format!("{lines}\n[target.dw]"));
    let environment = |name: &str| (name == "PW").then(|| "s3cret".to_owned());
    let config = parse("t", &with("password_env = \"PW\""), &environment).unwrap();
    assert_eq!(config.sources["shop"].password.expose_secret(), "s3cret");
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(!render(&config).contains("s3cret"));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "fr0m file\n").unwrap();
    let config =
        parse("t", &with(&format!("password_file = \"{}\"", file.path().display())), &environment).unwrap();
    assert_eq!(config.sources["shop"].password.expose_secret(), "fr0m file");

    let twice = problems(&with("password = \"hush1\"\npassword_env = \"PW\""));
    assert!(twice.iter().any(|p| p.contains("more than once")), "{twice:?}");
    assert!(!twice.iter().any(|p| p.contains("hush1")));
    let in_bad_url = problems(&SHORT.replace("mysql://repl@db1:3307", "mysql://repl:hush2@db1:3307/db?x=1"));
    assert!(!in_bad_url.is_empty() && !in_bad_url.iter().any(|p| p.contains("hush2")), "{in_bad_url:?}");
    let misspelt = problems(&with("pasword = 1\npasswords = \"hush3\""));
    assert!(!misspelt.iter().any(|p| p.contains("hush3")), "{misspelt:?}");
}

#[test]
fn vacuum_and_distribution_have_their_bounds() {
    let vacuum = |text: &str| {
        parse("t", &SHORT.replace("[task.shop]", &format!("[task.shop]\nvacuum = {text}")), &|_| None)
    };
    let policy = |text: &str| vacuum(text).unwrap().tasks["shop"].vacuum;
    let default = policy("{}");
    assert_eq!((default.threshold, default.min_rows, default.window), (0.2, 10_000, None));
    let night = policy("{ mode = \"off\", threshold = 1, window = \"22:00-06:00\" }");
    assert_eq!((night.threshold, night.window), (1.0, Some(Window { from: 1320, to: 360 })));
    for bad in [
        "{ threshold = 0.0 }",
        "{ threshold = 11.0 }",
        "{ min_rows = 0 }",
        "{ window = \"22-6\" }",
        "{ hours = 3 }",
    ] {
        assert!(vacuum(bad).is_err(), "{bad}");
    }
    let by = |text: &str| {
        problems(&format!("{SHORT}\n[task.shop.table.\"shop.orders\"]\ndistributed_by = {text}\n"))
    };
    assert!(by("[\"id\"]").is_empty() && by("\"replicated\"").is_empty());
    for bad in ["[]", "\"randomly\"", "[1]"] {
        assert!(by(bad).iter().any(|problem| problem.contains("replicated")), "{bad}");
    }
}

#[test]
fn files_may_lie_in_the_folder_of_credentials() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pw", "ca.pem"] {
        std::fs::write(folder.path().join(name), "cr3dential\n").unwrap();
    }
    let lines = "password_file = \"$CREDENTIALS_DIRECTORY/pw\"\nca_file = \"$CREDENTIALS_DIRECTORY/ca.pem\"\ntls = \"verify_ca\"\n[target.dw]";
    let text = SHORT.replace("[target.dw]", lines);
    let environment =
        |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| folder.path().display().to_string());
    let config = parse("t", &text, &environment).unwrap_or_else(|error| panic!("{error}"));
    let source = &config.sources["shop"];
    assert_eq!(source.password.expose_secret(), "cr3dential");
    assert_eq!(source.tls_files.ca_file, Some(folder.path().join("ca.pem")));

    let unset = problems(&text);
    assert_eq!(unset.len(), 2, "{unset:?}");
    assert!(unset.iter().all(|p| p.contains("CREDENTIALS_DIRECTORY is not set")), "{unset:?}");
}

#[test]
fn a_glob_may_not_merge_tables_without_telling_them_apart() {
    let merged = problems(&format!("{SHORT}\n[task.shop.table.\"shop.order_*\"]\ntarget = \"orders\"\n"));
    assert!(merged.iter().any(|p| p.contains("source_column")), "{merged:?}");
    assert!(
        problems(&format!(
            "{SHORT}\n[task.shop.table.\"shop.order_*\"]\ntarget = \"orders\"\nsource_column = \"src\"\n"
        ))
        .is_empty()
    );
}
