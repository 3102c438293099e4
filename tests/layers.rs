//! Which room imports which: downwards only, and libraries of one side only in its room. `testing` may import every room; nobody
//! imports it.

#![allow(clippy::expect_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and those it may import.
const ROOMS: [(&str, &[&str]); 14] = [
    ("change", &[]),
    ("quote", &["change"]),
    ("schema", &["change"]),
    ("transform", &["change", "schema"]),
    ("config", &["change"]),
    ("tls", &["change", "config"]),
    ("source", &["change", "schema", "config", "tls"]),
    ("sink", &["change", "quote", "schema", "config", "tls"]),
    ("precheck", &["change", "quote", "schema", "transform", "config"]),
    ("status", &["change"]),
    ("control", &["change"]),
    ("task", &["change", "schema", "transform", "config", "source", "sink", "precheck", "status"]),
    ("supervisor", &["change", "config", "status", "task"]),
    ("cli", &["change", "config", "control", "precheck", "status", "task", "supervisor"]),
];

/// A library and the only rooms that may know it.
const LIBRARIES: [(&str, &[&str]); 4] = [
    ("mysql_async", &["source"]),
    ("mysql_common", &["source"]),
    ("tokio_postgres", &["sink"]),
    ("axum", &["status", "control"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The room that a file of `src` is in; none for the crate's own.
fn room(src: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(src).ok()?.components().next()?;
    let name = below.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    ROOMS.iter().any(|(room, _)| *room == name).then_some(name)
}

/// The words that stand right after `before`, of text without comments.
fn behind<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(move |line| {
        line.split(before).skip(1).map(|rest| {
            let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
        })
    })
}

#[test]
fn rooms_import_downwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for file in &all {
        let text = fs::read_to_string(file).expect("a file");
        if text.contains("::testing") {
            wrong.push(format!("{} imports testing, which is for tests", file.display()));
        }
        let Some(room) = room(&src, file) else { continue };
        let allowed = ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| allowed);
        assert!(
            !text.contains("crate::{"),
            "{}: one import a line, or this test overlooks some",
            file.display()
        );
        for other in behind(&text, "crate::") {
            let known = ROOMS.iter().any(|(name, _)| *name == other);
            if known && other != room && !allowed.contains(&other) {
                wrong.push(format!("{} imports {other}", file.display()));
            }
        }
        for (library, rooms) in LIBRARIES {
            if text.contains(&format!("{library}::")) && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{} knows {library}", file.display()));
            }
        }
        seen.insert(room);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.len(), ROOMS.len(), "a room is gone: {seen:?}");
}
