use super::*;
use std::collections::BTreeSet;

const BECAUSE: [Because; 13] = [
    Because::Said,
    Because::Crash,
    Because::Purged,
    Because::Reset,
    Because::ResetNow,
    Because::Cut,
    Because::ReadPastEnd,
    Because::Renamed,
    Because::Damaged,
    Because::LostChanges,
    Because::LacksTransaction,
    Because::EarlierXa,
    Because::UncertainXa,
];

const ACCOUNT: [Account; 12] = [
    Account::AllowEncrypted,
    Account::AllowUnencrypted,
    Account::Allow,
    Account::AllowFromHost,
    Account::Expired,
    Account::Unlock,
    Account::UnlockOrWait,
    Account::OtherMethod,
    Account::OtherOldMethod,
    Account::NameInCertificate,
    Account::Admit,
    Account::AdmitOrEncrypt,
];

fn text(text: &str) -> String {
    text.to_owned()
}

fn table() -> TableName {
    TableName::new("shop", "item")
}

fn target() -> TargetName {
    TargetName { schema: text("dw"), table: text("item") }
}

/// The one after it in the enum; none after the last. A kind that is not here does not compile.
fn behind(remedy: &Remedy) -> Option<Remedy> {
    Some(match remedy {
        Remedy::Several { .. } => Remedy::copy_task(),
        Remedy::CopyTask(_) => Remedy::CopyTable { table: table(), emptied: Emptied::ByConfig },
        Remedy::CopyTable { .. } => Remedy::Resync { table: table() },
        Remedy::Resync { .. } => Remedy::ResumeTask { task: text("main") },
        Remedy::ResumeTask { .. } => Remedy::DropTask { task: text("main") },
        Remedy::DropTask { .. } => Remedy::CopyNamedTable,
        Remedy::CopyNamedTable => Remedy::Skip {
            file: text("/etc/row ferry/it's.toml"),
            position: text("binlog.000042:1337"),
            task: text("main"),
            table: Some(table()),
        },
        Remedy::Skip { .. } => Remedy::LeaveOutGone { table: table() },
        Remedy::LeaveOutGone { .. } => Remedy::LeaveOut { table: table() },
        Remedy::LeaveOut { .. } => Remedy::LeaveOutColumns { columns: vec![text("a"), text("b\"")] },
        Remedy::LeaveOutColumns { .. } => Compare::Definition.into(),
        Remedy::Compare(_) => Remedy::grant(&["SELECT", "SHOW VIEW"], "*.*"),
        Remedy::Grant { .. } => Remedy::GrantWhatIsMissing { user: text("u"), missing: text("a role") },
        Remedy::GrantWhatIsMissing { .. } => Remedy::Account { user: text("u"), change: Account::Unlock },
        Remedy::Account { .. } => Remedy::ShowCode { name: table() },
        Remedy::ShowCode { .. } => {
            Remedy::SetVariable { variable: "binlog_format", value: "ROW", scope: Scope::Persist }
        }
        Remedy::SetVariable { .. } => Remedy::NewLogFile { source: text("main") },
        Remedy::NewLogFile { .. } => Remedy::Run(vec![text("DROP TABLE a"), text("DROP TABLE b")]),
        Remedy::Run(_) => AtSource::EndXa.into(),
        Remedy::AtSource(_) => Remedy::SetLogged { table: text("\"t\"") },
        Remedy::SetLogged { .. } => Remedy::MakeAnew { statement: text("CREATE TABLE t (…)") },
        Remedy::MakeAnew { .. } => Remedy::TakeOverRecords { table: text("rowferry.main_tables") },
        Remedy::TakeOverRecords { .. } => Remedy::ChangeTargetColumn { column: text("c") },
        Remedy::ChangeTargetColumn { .. } => Remedy::FillColumn { table: target(), column: text("c") },
        Remedy::FillColumn { .. } => Remedy::Raise { limit: text("max_connections") },
        Remedy::Raise { .. } => AtTarget::Restore.into(),
        Remedy::AtTarget(_) => Remedy::Configure { section: text("[task.main]"), line: text("a = 1") },
        Remedy::Configure { .. } => Remedy::CarryElsewhere { section: text("[task.main.table.t]") },
        Remedy::CarryElsewhere { .. } => Remedy::OtherSchema { database: text("pg_shop") },
        Remedy::OtherSchema { .. } => Remedy::OtherName { key: text("target") },
        Remedy::OtherName { .. } => {
            Remedy::CorrectColumns { key: text("primary_key"), columns: text("a, b") }
        }
        Remedy::CorrectColumns { .. } => Remedy::KnownType { written: text("hstore") },
        Remedy::KnownType { .. } => Remedy::Postgis { column: text("g") },
        Remedy::Postgis { .. } => Remedy::KeepName { source: text("b"), target: text("a") },
        Remedy::KeepName { .. } => Remedy::OfKey { key: vec![text("a"), text("b")] },
        Remedy::OfKey { .. } => {
            Remedy::AcceptCascades { cascades: vec![text("shop.item.fk")], look_up: true }
        }
        Remedy::AcceptCascades { .. } => InConfig::Tables.into(),
        Remedy::InConfig(_) => Remedy::PemFile { key: "ca_file", label: "CERTIFICATE" },
        Remedy::PemFile { .. } => Remedy::ReadableFile { key: "ca_file" },
        Remedy::ReadableFile { .. } => Remedy::DecryptKey { key: "key_file", path: text("/key") },
        Remedy::DecryptKey { .. } => Certificates::Own.into(),
        Remedy::Certificates(_) => Remedy::MendValue,
        Remedy::MendValue => Remedy::MendUnreadable { table: text("shop.item") },
        Remedy::MendUnreadable { .. } => Connect::Same.into(),
        Remedy::Connect(_) => Upgrade::Source.into(),
        Remedy::Upgrade(_) => Restart::Again.into(),
        Remedy::Restart(_) => Report::This.into(),
        Remedy::Report(_) => return None,
    })
}

/// One of each kind, and all sentences.
fn all() -> Vec<Remedy> {
    let first = AtSource::EndXa.or(InConfig::Tables);
    let mut all: Vec<Remedy> = std::iter::successors(Some(first), behind).collect();
    all.extend(BECAUSE.map(Remedy::CopyTask));
    all.extend(ACCOUNT.map(|change| Remedy::Account { user: text("u"), change }));
    all.extend(Compare::ALL.iter().copied().map(Remedy::from));
    all.extend(AtSource::ALL.iter().copied().map(Remedy::from));
    all.extend(AtTarget::ALL.iter().copied().map(Remedy::from));
    all.extend(InConfig::ALL.iter().copied().map(Remedy::from));
    all.extend(Certificates::ALL.iter().copied().map(Remedy::from));
    all.extend(Connect::ALL.iter().copied().map(Remedy::from));
    all.extend(Upgrade::ALL.iter().copied().map(Remedy::from));
    all.extend(Restart::ALL.iter().copied().map(Remedy::from));
    all.extend(Report::ALL.iter().copied().map(Remedy::from));
    all
}

#[test]
fn every_kind_is_a_sentence_without_its_end() {
    let mut told = BTreeSet::new();
    let mut kinds = Vec::new();
    for remedy in all() {
        let words = remedy.to_string();
        assert!(!words.is_empty() && !words.ends_with(['.', ' ', ';']), "{words}");
        assert!(!words.contains("  ") && !words.contains('\n'), "{words}");
        if !kinds.contains(&remedy) {
            assert!(told.insert(words.clone()), "two kinds are told alike: {words}");
            kinds.push(remedy);
        }
    }
}

#[test]
fn typed_remedies_name_what_they_are_about() {
    let wanted = [
        (Remedy::grant(&["SELECT", "SHOW VIEW"], "*.*"), "GRANT SELECT, SHOW VIEW ON *.* TO the user"),
        (
            Remedy::leave_out_column(&[text("a")], "b"),
            r#"leave the column out with exclude_columns = ["a", "b"]"#,
        ),
        (
            Remedy::CopyTable { table: table(), emptied: Emptied::Deleted { target: target() } },
            "copy shop.item again: take it out of \"tables\" (add \"!shop.item\" to the list, `rowferry reload`), delete its rows from dw.item, put it back and `rowferry reload` once more",
        ),
        (
            Remedy::SetVariable { variable: "binlog_format", value: "ROW", scope: Scope::Sessions },
            "set binlog_format = ROW for all sessions of the source",
        ),
        (
            Remedy::AcceptCascades { cascades: vec![text("shop.item.fk")], look_up: false },
            "accept that such rows differ: accept_cascades = [\"shop.item.fk\"]",
        ),
        (
            Remedy::Skip {
                file: text("/etc/it's.toml"),
                position: text("0-1-2"),
                task: text("main"),
                table: Some(table()),
            },
            "do by hand in the target what it did and pass over it: `rowferry skip -c '/etc/it'\\''s.toml' 0-1-2 --task main --table shop.item`",
        ),
    ];
    for (remedy, words) in wanted {
        assert_eq!(remedy.to_string(), words);
    }
}

#[test]
fn several_are_told_in_their_order_and_alike_ones_once() {
    let either = AtTarget::Restore.or(InConfig::Tables).or(Remedy::MendValue);
    assert_eq!(either.to_string(), "restore it, or correct \"tables\", or mend the value in the source");
    let both = AtSource::RemoveCascade.and(Remedy::MendValue).also(Restart::Daemon);
    assert_eq!(
        both.to_string(),
        "remove the cascade, and mend the value in the source; then restart the daemon"
    );
    assert_eq!(both.steps().len(), 3);
    let all = Remedy::all([Remedy::MendValue, Remedy::MendValue, AtTarget::Restore.into()]);
    assert_eq!(all.map(|all| all.to_string()).as_deref(), Some("mend the value in the source; restore it"));
    assert_eq!(Remedy::all([]), None);
}

#[test]
fn every_list_of_left_out_columns_becomes_the_whole_one() {
    let remedy = AtSource::ConvertColumn.or(Remedy::leave_out_column(&[], "a"));
    let told = remedy.leaving_out(&[text("a"), text("b")]).to_string();
    assert!(told.ends_with(r#"leave the column out with exclude_columns = ["a", "b"]"#), "{told}");
}
