//! Bad input: each mistake ends in its exit code and one clear paragraph with its remedy, and a failed check
//! writes nothing to the target.

mod config;
mod definitions;
mod endpoints;
mod running;
mod selection;
mod settings;
mod unlogged;

use crate::harness::{Config, Output, PostgresDatabase, Rows, rowferry};

/// Everything a user can have in a database: schemas and what is in them.
async fn catalog(target: &PostgresDatabase<'_>) -> Rows {
    target
        .sql(
            "SELECT n.nspname, c.relname, c.relkind FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2",
        )
        .await
}

/// Runs `rowferry check`.
async fn check(config: &Config) -> Output {
    rowferry(&["check", "-c", &config.file()]).await
}

/// Runs `rowferry check`, which must leave the target as it was.
async fn check_writes_nothing(config: &Config, target: &PostgresDatabase<'_>) -> Output {
    let before = catalog(target).await;
    let output = check(config).await;
    assert_eq!(catalog(target).await, before, "the check wrote to the target: {output:?}");
    output
}

/// The report must fail the item `code`, with these words in the item's own two lines (judgement and remedy).
#[track_caller]
fn fails(output: &Output, code: &str, words: &[&str]) {
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(output.stderr, "", "the report is all there is to say");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let at = lines
        .iter()
        .position(|line| {
            line.trim_start().starts_with("FAIL") && line.split_whitespace().nth(1) == Some(code)
        })
        .unwrap_or_else(|| panic!("{code} does not fail:\n{}", output.stdout));
    let item = format!("{}\n{}", lines[at], lines.get(at + 1).unwrap_or(&""));
    assert!(item.contains("to mend it: "), "no remedy: {item}");
    for word in words {
        assert!(item.contains(word), "{word:?} is not in: {item}");
    }
}

/// How many items fail.
fn failures(output: &Output) -> usize {
    output.stdout.lines().filter(|line| line.trim_start().starts_with("FAIL")).count()
}

/// The command must end with `code`, nothing on standard output and one paragraph that says these words.
#[track_caller]
fn one_paragraph(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code, code, "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    let text = output.stderr.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {output:?}"));
    assert!(text.starts_with("rowferry: ") && !text.contains('\n'), "not one paragraph: {text}");
    assert!(text.contains("To mend it: "), "no remedy: {text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}
