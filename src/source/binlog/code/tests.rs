//! Also what the tests of [`watch`](super::super::watch) use.

use super::*;
use crate::config::types::Selection;
use globset::{Glob, GlobSet, GlobSetBuilder};

/// The tables of one pattern.
pub fn selected(pattern: &str, fold_names: bool) -> SelectedTables {
    let include = GlobSetBuilder::new().add(Glob::new(pattern).unwrap()).build().unwrap();
    let selection = Selection { patterns: vec![pattern.to_owned()], include, exclude: GlobSet::empty() };
    SelectedTables::new(selection, TableNames::of(fold_names.into())).unwrap()
}

fn table(name: &str) -> TableName {
    let (database, table) = name.split_once('.').unwrap();
    TableName::new(database, table)
}

fn object(kind: ObjectKind, name: &str, body: &str) -> Object {
    let body = (!body.is_empty()).then(|| body.to_owned());
    Object { kind, name: table(name), body }
}

fn trigger(on: &str, name: &str, body: &str) -> Object {
    object(ObjectKind::Trigger { on: table(on) }, name, body)
}

/// A shop whose tables are selected, and what others have around it.
fn code() -> StoredCode {
    let objects = vec![
        trigger("other.log", "other.fill", "INSERT INTO shop.item VALUES (NEW.id)"),
        trigger("other.first", "other.on", "INSERT INTO second VALUES (1)"),
        trigger("other.second", "other.further", "BEGIN SET @a = other.writes(3); END"),
        trigger("other.harmless", "other.nothing", "SET NEW.a = 1"),
        object(
            ObjectKind::Routine,
            "other.writes",
            "BEGIN INSERT INTO `shop`.`item` VALUES (1); RETURN 1; END",
        ),
        object(ObjectKind::Routine, "other.plain", "RETURN 1 + other.inner_one()"),
        object(ObjectKind::Routine, "other.inner_one", "RETURN 2"),
        object(ObjectKind::Routine, "other.counts", "RETURN (SELECT COUNT(*) FROM shop.item)"),
        object(ObjectKind::Routine, "other.hidden", ""),
        object(ObjectKind::Routine, "other.dynamic", "BEGIN PREPARE p FROM @x; EXECUTE p; END"),
        object(ObjectKind::Routine, "shop.own", "INSERT INTO item VALUES (1)"),
        object(ObjectKind::Procedure, "other.sweep", "DELETE FROM shop.item"),
        object(ObjectKind::Routine, "other.sweeps", "BEGIN CALL sweep(); RETURN 1; END"),
        object(ObjectKind::Routine, "other.loop_a", "RETURN loop_b()"),
        object(ObjectKind::Routine, "other.loop_b", "RETURN loop_a()"),
        object(ObjectKind::View, "other.window", "select `shop`.`item`.`id` AS `id` from `shop`.`item`"),
        object(ObjectKind::View, "other.caller", "select `other`.`writes`(1) AS `x`"),
        object(ObjectKind::Union, "other.all_of_it", ""),
        object(ObjectKind::Routine, "other.naïve", "DELETE FROM shop.item"),
    ];
    let cascades =
        [("other.parent", "other.child"), ("other.child", "shop.item"), ("other.root", "other.log")];
    let cascades =
        cascades.map(|(parent, child)| Cascade { parent: table(parent), child: table(child) }).to_vec();
    StoredCode::new(objects, cascades, None)
}

fn reach(code: &StoredCode, text: &str, database: &str, written: Option<&[&str]>) -> &'static str {
    let written = written.map(|names| names.iter().map(|name| table(name)).collect::<Vec<_>>());
    match code.reach(
        &Mentions::of(text.as_bytes()),
        database,
        written.as_deref(),
        &|_| false,
        &selected("shop.*", false),
        Vec::new(),
    ) {
        Reached::Nothing => "nothing",
        Reached::Selected(_) => "selected",
        Reached::Unknown { .. } => "unknown",
    }
}

#[test]
fn a_statement_goes_as_far_as_what_it_calls() {
    let code = code();
    for (text, written, expected) in [
        ("REPLACE INTO sums SELECT count(*) FROM shop.item", "other.sums", "nothing"),
        ("INSERT INTO log VALUES (1)", "other.log", "selected"),
        ("INSERT INTO LOG VALUES (1)", "OTHER.LOG", "selected"),
        ("INSERT INTO first VALUES (1)", "other.first", "selected"),
        ("INSERT INTO harmless VALUES (1)", "other.harmless", "nothing"),
        ("INSERT INTO sums VALUES (writes(1))", "other.sums", "selected"),
        ("INSERT INTO sums VALUES (`Other` . `WRITES` (1))", "other.sums", "selected"),
        ("INSERT INTO sums VALUES (plain(1))", "other.sums", "nothing"),
        ("INSERT INTO sums VALUES (counts())", "other.sums", "nothing"),
        ("INSERT INTO sums VALUES (hidden(1))", "other.sums", "unknown"),
        ("INSERT INTO sums VALUES (dynamic(1))", "other.sums", "nothing"),
        ("INSERT INTO sums VALUES (shop.own())", "other.sums", "selected"),
        ("INSERT INTO sums VALUES (own())", "other.sums", "nothing"),
        ("INSERT INTO sums VALUES (loop_a())", "other.sums", "nothing"),
        ("INSERT INTO sums VALUES (naïve())", "other.sums", "selected"),
        // Read, not written.
        ("INSERT INTO sums SELECT id FROM window", "other.sums", "nothing"),
        ("INSERT INTO window VALUES (1)", "other.window", "selected"),
        ("INSERT INTO window SELECT * FROM window", "other.window", "selected"),
        ("INSERT INTO sums SELECT x FROM caller", "other.sums", "selected"),
        ("INSERT INTO all_of_it VALUES (1)", "other.all_of_it", "unknown"),
        ("DELETE FROM parent", "other.parent", "selected"),
        // Its child's trigger, where the server fires it.
        ("DELETE FROM root", "other.root", "selected"),
    ] {
        assert_eq!(reach(&code, text, "other", Some(&[written])), expected, "{text}");
    }
    assert_eq!(
        reach(&code, "INSERT INTO other.t VALUES (writes(1))", "third", Some(&["other.t"])),
        "selected"
    );
    assert_eq!(reach(&code, "INSERT INTO t VALUES (writes(1))", "third", Some(&["third.t"])), "nothing");
}

/// A column may be named like a procedure.
#[test]
fn a_procedure_runs_where_a_body_calls_it() {
    let code = code();
    let sums = Some(&["other.sums"][..]);
    assert_eq!(reach(&code, "UPDATE sums SET sweep = 1", "other", sums), "nothing");
    assert_eq!(reach(&code, "UPDATE sums SET a = sweeps()", "other", sums), "selected");
    assert_eq!(reach(&code, "FROB sweep", "other", None), "selected");
}

#[test]
fn what_is_not_understood_may_write_whatever_it_names() {
    let code = code();
    for (text, expected) in [
        ("FROB log", "selected"),
        ("FROB window", "selected"),
        ("FROB parent", "selected"),
        ("FROB harmless", "nothing"),
        ("\u{1}\u{2}'`", "nothing"),
        ("\u{1}\u{2}'`other`.log", "selected"),
    ] {
        assert_eq!(reach(&code, text, "other", None), expected, "{text}");
    }
    assert_eq!(reach(&code, "FROB log", "third", None), "nothing");
}

#[test]
fn what_cannot_be_seen_is_not_decided() {
    let blind = StoredCode::new(Vec::new(), Vec::new(), Some(Remedy::grant(&["TRIGGER"], "*.*")));
    let reached = blind.reach(
        &Mentions::of(b"INSERT INTO t VALUES (1)"),
        "other",
        Some(&[table("other.t")]),
        &|_| false,
        &selected("shop.*", false),
        Vec::new(),
    );
    assert!(matches!(reached, Reached::Unknown { remedy: Some(Remedy::Grant { .. }), .. }));
}

#[test]
fn what_was_changed_since_is_not_decided() {
    let names = |names: &[&str]| names.iter().map(|name| table(name)).collect::<BTreeSet<_>>();
    let code_of = |kind, list: &[&str]| names(list).into_iter().map(|name| (kind, name)).collect();
    let change = |changed: Changed| code().changed_by(changed, &BTreeMap::new());
    let routines = |list: &[&str]| change(Changed { code: code_of("FUNCTION", list), ..Changed::default() });
    let views = |list: &[&str]| change(Changed { code: code_of("VIEW", list), ..Changed::default() });
    let triggers = |list: &[&str]| change(Changed { code: code_of("TRIGGER", list), ..Changed::default() });
    let tables = |list: &[&str]| change(Changed { tables: names(list), ..Changed::default() });
    let text = "INSERT INTO sums SELECT plain(id) FROM staging";
    let sums = Some(&["other.sums"][..]);
    let any = change(Changed { any: Some("a trigger".into()), ..Changed::default() });
    assert_eq!(reach(&any, text, "other", sums), "unknown");
    assert_eq!(reach(&routines(&["other.gone", "third.staging"]), text, "other", sums), "nothing");
    assert_eq!(reach(&views(&["other.staging"]), text, "other", sums), "unknown", "it may have been a view");
    assert_eq!(reach(&views(&["other.sums"]), text, "other", sums), "unknown");
    // A function that what is called calls.
    assert_eq!(reach(&routines(&["other.inner_one"]), text, "other", sums), "unknown");
    assert_eq!(
        reach(&triggers(&["third.x"]), text, "other", sums),
        "nothing",
        "on a table of another database"
    );
    assert_eq!(reach(&triggers(&["other.x"]), text, "other", sums), "unknown");
    assert_eq!(reach(&triggers(&["other.x"]), text, "other", Some(&[])), "nothing", "plain does not write");
    assert_eq!(reach(&triggers(&["other.x"]), "SELECT 1", "other", Some(&[])), "nothing");
    assert_eq!(reach(&tables(&["other.staging"]), text, "other", sums), "nothing", "only read");
    assert_eq!(reach(&tables(&["other.sums"]), text, "other", sums), "unknown");
    assert_eq!(reach(&tables(&["other.sums"]), text, "other", Some(&[])), "nothing", "a new one");
    assert_eq!(
        reach(&tables(&["other.parent"]), text, "other", sums),
        "unknown",
        "it may have been referred to"
    );
}

#[test]
fn what_a_statement_has_defined_is_known_when_it_is_gone() {
    let by_itself = Changed { code: [("TRIGGER", table("other.x"))].into(), ..Changed::default() };
    let with_its_table = Changed { tables: [table("other.sums")].into(), ..Changed::default() };
    for changed in [by_itself, with_its_table] {
        let gone = |body: &str| {
            let known = trigger("other.sums", "other.x", body);
            code().changed_by(changed.clone(), &[(("TRIGGER", table("other.x")), known)].into())
        };
        let reach = |code: &StoredCode| {
            let (text, sums) = (Mentions::of(b"INSERT INTO sums VALUES (1)"), [table("other.sums")]);
            code.reach(
                &text,
                "other",
                Some(&sums),
                &|name| *name == table("other.sums"),
                &selected("shop.*", false),
                Vec::new(),
            )
        };
        let harmless = gone("CREATE TRIGGER x BEFORE INSERT ON sums FOR EACH ROW SET NEW.a = 1");
        assert_eq!(reach(&harmless), Reached::Nothing);
        let writes = gone("CREATE TRIGGER x AFTER INSERT ON sums FOR EACH ROW DELETE FROM shop.item");
        assert_eq!(reach(&writes), Reached::Selected("other.x".into()));
    }
}

/// What has another name by now is found by the one that it had.
#[test]
fn what_was_renamed_since_is_followed() {
    let with = |renamed: &[(&str, &str)], changed: Changed| {
        let renamed = renamed.iter().map(|(from, to)| (table(from), table(to))).collect();
        code().changed_by(Changed { renamed, ..changed }, &BTreeMap::new())
    };
    let renamed = |pairs: &[(&str, &str)]| with(pairs, Changed::default());
    let sums = Some(&["other.sums"][..]);
    let view = renamed(&[
        ("other.old_view", "other.middle"),
        ("other.middle", "third.x"),
        ("third.x", "other.caller"),
    ]);
    assert_eq!(reach(&view, "INSERT INTO sums SELECT x FROM old_view", "other", sums), "selected");
    assert_eq!(reach(&view, "INSERT INTO sums SELECT x FROM other_view", "other", sums), "nothing");
    let table_of_a_trigger = renamed(&[("other.old_log", "other.log"), ("other.new", "other.old_log")]);
    for text in ["INSERT INTO old_log VALUES (1)", "INSERT INTO new VALUES (1)"] {
        let written = text.split(' ').nth(2).unwrap();
        assert_eq!(
            reach(&table_of_a_trigger, text, "other", Some(&[&format!("other.{written}")])),
            "selected"
        );
        assert_eq!(
            reach(&table_of_a_trigger, &format!("FROB {written}"), "other", None),
            "selected",
            "{text}"
        );
    }
    let child = renamed(&[("shop.kept", "other.child")]);
    assert_eq!(reach(&child, "DELETE FROM parent", "other", Some(&["other.parent"])), "selected");
    // A log that is rotated, before and after.
    let rotated = [("other.sums", "other.sums_1"), ("other.sums_new", "other.sums")];
    assert_eq!(reach(&renamed(&rotated), "INSERT INTO sums VALUES (1)", "other", sums), "nothing");
    for gone in ["other.sums_1", "other.sums"] {
        let dropped = with(&rotated, Changed { tables: [table(gone)].into(), ..Changed::default() });
        assert_eq!(reach(&dropped, "INSERT INTO sums VALUES (1)", "other", sums), "unknown", "{gone}");
        assert_eq!(
            reach(&dropped, "INSERT INTO plain VALUES (1)", "other", Some(&["other.plain"])),
            "nothing"
        );
    }
    let dropped = Changed { code: [("VIEW", table("other.now"))].into(), ..Changed::default() };
    let dropped = with(&[("other.before", "other.now")], dropped);
    assert_eq!(reach(&dropped, "INSERT INTO sums SELECT x FROM before", "other", sums), "unknown");
}

/// A last guard: whatever was misread, the log knows which databases were used.
#[test]
fn a_database_that_the_log_names_must_be_explained() {
    let code = code();
    for (text, written, explained) in [
        ("INSERT INTO sums VALUES (1)", "other.sums", false),
        ("INSERT INTO sums VALUES (plain(1))", "other.sums", false),
        ("INSERT INTO sums SELECT * FROM shop.item", "other.sums", true),
        ("INSERT INTO sums VALUES (counts())", "other.sums", true),
        ("INSERT INTO sums SELECT id FROM window", "other.sums", true),
        ("INSERT INTO Shop.not_carried VALUES (1)", "Shop.not_carried", true),
    ] {
        let (mentions, written) = (Mentions::of(text.as_bytes()), [table(written)]);
        let reached = |logged: Vec<&str>| {
            let selected = selected("shop.item", false);
            code.reach(&mentions, "other", Some(&written), &|_| false, &selected, logged)
        };
        assert_eq!(reached(vec!["shop"]) == Reached::Nothing, explained, "{text}");
        assert_eq!(reached(Vec::new()), Reached::Nothing, "{text}");
    }
}

/// Where names differ by case, a database is not explained by another whose name differs by case alone.
#[test]
fn databases_of_two_spellings_are_two_where_case_matters() {
    let code = StoredCode::new(
        vec![trigger("other.log", "other.fill", "INSERT INTO away VALUES (1)")],
        vec![Cascade { parent: table("other.parent"), child: table("SHOP.child") }],
        None,
    );
    let mentions = Mentions::of(b"INSERT INTO x VALUES (1)");
    for (default, written) in [("Shop", "Shop.x"), ("other", "other.parent")] {
        let reached = |fold_names| {
            let (written, selected) = ([table(written)], selected("shop.item", fold_names));
            let default = selected.folded_database(default);
            code.reach(&mentions, &default, Some(&written), &|_| false, &selected, vec!["shop"])
        };
        assert!(matches!(reached(false), Reached::Unknown { .. }), "{default}");
        assert_eq!(reached(true), Reached::Nothing, "{default}");
    }
}

/// A source has as many tables as its users make.
#[test]
fn a_chain_of_foreign_keys_may_be_as_long_as_anybody_likes() {
    let key =
        |at: usize| Cascade { parent: table(&format!("o.t{at}")), child: table(&format!("o.t{}", at + 1)) };
    let mut cascades: Vec<Cascade> = (0..100_000).map(key).collect();
    cascades.push(Cascade { parent: table("o.t100000"), child: table("shop.item") });
    let walk = move || {
        let code = StoredCode::new(Vec::new(), cascades, None);
        reach(&code, "DELETE FROM t0", "o", Some(&["o.t0"]))
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(walk).unwrap();
    assert_eq!(thread.join().unwrap(), "selected");
}
