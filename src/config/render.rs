//! The effective configuration as TOML, secrets masked: what `rowferry config` prints.

use super::types::{
    BadRows, BadText, Config, DDL_POLICIES, DdlPolicy, Distributed, ExistingTables, IdentifierCase, KeyDates,
    LogFormat, NewTables, NulBytes, OnTableError, Password, SourceTlsMode, StartPosition, TableOptions,
    TargetTlsMode, TaskConfig, TimeAs, TinyInt1, TlsFiles, VacuumMode, ZeroDates,
};
use crate::change::facts::TargetKind;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// In the place of a token; long enough to be read back as one.
const MASKED_TOKEN: &str = "************************";

/// Renders `config` with every default filled in. A password that is set shows as `***`.
pub fn render(config: &Config) -> String {
    let mut root = Table::new();
    let mut daemon = Table::new();
    put(&mut daemon, "listen", config.daemon.listen.as_str());
    put(
        &mut daemon,
        "log_format",
        match config.daemon.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        },
    );
    put(&mut daemon, "log_level", config.daemon.log_level.as_str());
    put(&mut daemon, "shutdown_grace", humantime::format_duration(config.daemon.shutdown_grace).to_string());
    if let Some(socket) = &config.daemon.socket {
        put(&mut daemon, "socket", socket.to_string_lossy().into_owned());
    }
    put(&mut daemon, "spill_dir", config.daemon.spill_dir.to_string_lossy().into_owned());
    put(&mut root, "daemon", daemon);
    let mut tokens = Table::new();
    for name in config.tokens.keys() {
        let mut table = Table::new();
        put(&mut table, "secret", MASKED_TOKEN);
        put(&mut tokens, name, table);
    }
    if !tokens.is_empty() {
        put(&mut root, "token", tokens);
    }
    let mut sources = Table::new();
    for (name, source) in &config.sources {
        let mut table = address(&source.host, source.port, &source.user, &source.password, &source.tls_files);
        put(
            &mut table,
            "tls",
            match source.tls {
                SourceTlsMode::Disabled => "disabled",
                SourceTlsMode::Preferred => "preferred",
                SourceTlsMode::Required => "required",
                SourceTlsMode::VerifyCa => "verify_ca",
                SourceTlsMode::VerifyIdentity => "verify_identity",
            },
        );
        put(&mut sources, name, table);
    }
    put(&mut root, "source", sources);
    let mut targets = Table::new();
    for (name, target) in &config.targets {
        let mut table = address(&target.host, target.port, &target.user, &target.password, &target.tls_files);
        put(&mut table, "database", target.database.as_str());
        put(
            &mut table,
            "tls",
            match target.tls {
                TargetTlsMode::Disable => "disable",
                TargetTlsMode::Prefer => "prefer",
                TargetTlsMode::Require => "require",
                TargetTlsMode::VerifyCa => "verify_ca",
                TargetTlsMode::VerifyFull => "verify_full",
            },
        );
        put(
            &mut table,
            "kind",
            match target.kind {
                None => "auto",
                Some(TargetKind::PostgreSql) => "postgresql",
                Some(TargetKind::Greenplum) => "greenplum",
                Some(TargetKind::AnalyticDb) => "analyticdb",
            },
        );
        put(&mut targets, name, table);
    }
    put(&mut root, "target", targets);
    let tasks: Table =
        config.tasks.iter().map(|(name, task)| (name.clone(), Value::Table(render_task(task)))).collect();
    put(&mut root, "task", tasks);
    toml::to_string(&root).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
}

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

fn address(host: &str, port: u16, user: &str, password: &Password, files: &TlsFiles) -> Table {
    let mut table = Table::new();
    put(&mut table, "host", host);
    put(&mut table, "port", i64::from(port));
    put(&mut table, "user", user);
    if password.is_given() {
        put(&mut table, "password", "***");
    }
    for (key, file) in
        [("ca_file", &files.ca_file), ("cert_file", &files.cert_file), ("key_file", &files.key_file)]
    {
        if let Some(file) = file {
            put(&mut table, key, file.display().to_string());
        }
    }
    table
}

fn strings<'a>(items: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    items.into_iter().map(|item| Value::from(item.as_str())).collect()
}

fn map(items: &BTreeMap<String, String>) -> Table {
    items.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

fn size(bytes: usize) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}MiB", bytes >> 20) } else { format!("{bytes}B") }
}

fn number(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number.to_string()), Value::from)
}

fn render_task(task: &TaskConfig) -> Table {
    let mut table = Table::new();
    put(&mut table, "source", task.source.as_str());
    put(&mut table, "target", task.target.as_str());
    put(&mut table, "tables", strings(&task.tables.patterns));
    put(&mut table, "schemas", map(&task.schemas));
    let initial = [("schema", task.initial_schema), ("data", task.initial_data)];
    put(
        &mut table,
        "initial",
        initial.iter().filter(|(_, on)| *on).map(|(name, _)| Value::from(*name)).collect::<Vec<_>>(),
    );
    match &task.start_position {
        None => {}
        Some(StartPosition::Now) => put(&mut table, "start_position", "now"),
        Some(StartPosition::Gtids(gtids)) => put(&mut table, "start_position", gtids.to_string()),
        Some(StartPosition::Domains(domains)) => put(&mut table, "start_position", domains.to_string()),
        Some(StartPosition::File(file)) => put(&mut table, "start_position", file.to_string()),
    }
    put(
        &mut table,
        "existing_tables",
        match task.existing_tables {
            ExistingTables::Error => "error",
            ExistingTables::Clear => "clear",
            ExistingTables::Ignore => "ignore",
        },
    );
    let operations = [
        ("insert", task.operations.insert),
        ("update", task.operations.update),
        ("delete", task.operations.delete),
        ("alter_table", task.operations.alter_table),
    ];
    put(
        &mut table,
        "operations",
        operations.iter().filter(|(_, on)| *on).map(|(name, _)| Value::from(*name)).collect::<Vec<_>>(),
    );
    put(
        &mut table,
        "identifier_case",
        if task.identifier_case == IdentifierCase::Lower { "lower" } else { "preserve" },
    );
    put(&mut table, "indexes", "none");
    put(&mut table, "zero_dates", if task.zero_dates == ZeroDates::Null { "null" } else { "error" });
    put(&mut table, "zero_dates_in_keys", if task.key_dates == KeyDates::Bc { "bc" } else { "error" });
    put(
        &mut table,
        "nul_bytes",
        match task.nul_bytes {
            NulBytes::Error => "error",
            NulBytes::Strip => "strip",
            NulBytes::Replace => "replace",
        },
    );
    put(
        &mut table,
        "bad_text",
        match task.bad_text {
            BadText::Error => "error",
            BadText::Replace => "replace",
            BadText::Escape => "escape",
        },
    );
    put(&mut table, "bad_rows", bad_rows(task.bad_rows));
    put(&mut table, "tinyint1", if task.tinyint1 == TinyInt1::Smallint { "smallint" } else { "boolean" });
    put(&mut table, "time", if task.time == TimeAs::Interval { "interval" } else { "time" });
    put(&mut table, "memory_limit", size(task.memory_limit));
    put(&mut table, "server_id", i64::from(task.server_id));
    let mut snapshot = Table::new();
    put(&mut snapshot, "parallel", number(u64::try_from(task.snapshot.parallel).unwrap_or(u64::MAX)));
    put(&mut snapshot, "chunk_rows", number(task.snapshot.chunk_rows));
    put(&mut snapshot, "max_rows_per_second", number(task.snapshot.max_rows_per_second));
    put(&mut snapshot, "groups", number(u64::try_from(task.snapshot.groups).unwrap_or(u64::MAX)));
    put(&mut table, "snapshot", snapshot);
    let mut apply = Table::new();
    put(&mut apply, "batch_rows", number(u64::try_from(task.apply.batch_rows).unwrap_or(u64::MAX)));
    put(&mut apply, "batch_bytes", size(task.apply.batch_bytes));
    let timeout = humantime::format_duration(task.apply.statement_timeout).to_string();
    put(&mut apply, "statement_timeout", timeout);
    put(&mut table, "apply", apply);
    let mut vacuum = Table::new();
    put(
        &mut vacuum,
        "mode",
        match task.vacuum.mode {
            VacuumMode::Auto => "auto",
            VacuumMode::On => "on",
            VacuumMode::Off => "off",
        },
    );
    put(&mut vacuum, "threshold", task.vacuum.threshold);
    put(&mut vacuum, "min_rows", number(task.vacuum.min_rows));
    if let Some(window) = task.vacuum.window {
        put(&mut vacuum, "window", window.to_string());
    }
    put(&mut table, "vacuum", vacuum);
    let mut verify = Table::new();
    put(&mut verify, "mode", if task.verify.continuous { "continuous" } else { "off" });
    put(&mut verify, "rows_per_second", number(task.verify.rows_per_second));
    put(&mut verify, "pause", humantime::format_duration(task.verify.pause).to_string());
    put(&mut verify, "repair", task.verify.repair);
    put(&mut table, "verify", verify);
    put(&mut table, "accept_cascades", strings(&task.accept_cascades));
    let policies: Table = DDL_POLICIES
        .into_iter()
        .map(|name| (name.to_owned(), Value::from(policy(task.ddl_policy_or_default(name)))))
        .collect();
    put(&mut table, "ddl_policy", policies);
    put(&mut table, "recopy_limit", number(task.recopy_limit));
    put(
        &mut table,
        "on_table_error",
        match task.on_table_error {
            OnTableError::Park => "park",
            OnTableError::Stop => "stop",
        },
    );
    put(
        &mut table,
        "new_tables",
        match task.new_tables {
            NewTables::Add => "add",
            NewTables::Tell => "tell",
        },
    );
    let tables: Table = task
        .table_options
        .iter()
        .map(|(pattern, options)| (pattern.clone(), Value::Table(render_options(options))))
        .collect();
    if !tables.is_empty() {
        put(&mut table, "table", tables);
    }
    table
}

fn bad_rows(choice: BadRows) -> &'static str {
    match choice {
        BadRows::Park => "park",
        BadRows::Quarantine => "quarantine",
    }
}

fn policy(policy: DdlPolicy) -> &'static str {
    match policy {
        DdlPolicy::Recopy => "recopy",
        DdlPolicy::Park => "park",
        DdlPolicy::Stop => "stop",
        DdlPolicy::Ignore => "ignore",
        DdlPolicy::Apply => "apply",
    }
}

fn render_options(options: &TableOptions) -> Table {
    let mut table = Table::new();
    for (key, value) in [
        ("target", &options.target),
        ("source_column", &options.source_column),
        ("storage", &options.storage),
    ] {
        if let Some(value) = value {
            put(&mut table, key, value.as_str());
        }
    }
    if !options.columns.is_empty() {
        put(&mut table, "columns", map(&options.columns));
    }
    if !options.exclude_columns.is_empty() {
        put(&mut table, "exclude_columns", strings(&options.exclude_columns));
    }
    if let Some(key) = &options.primary_key {
        put(&mut table, "primary_key", strings(key));
    }
    match &options.distributed_by {
        None => {}
        Some(Distributed::By(columns)) => put(&mut table, "distributed_by", strings(columns)),
        Some(Distributed::Replicated) => put(&mut table, "distributed_by", "replicated"),
    }
    if !options.types.is_empty() {
        put(&mut table, "types", map(&options.types));
    }
    if let Some(choice) = options.bad_rows {
        put(&mut table, "bad_rows", bad_rows(choice));
    }
    if !options.ddl_policy.is_empty() {
        let chosen = options.ddl_policy.iter();
        let chosen: Table =
            chosen.map(|(kind, chosen)| (kind.clone(), Value::from(policy(*chosen)))).collect();
        put(&mut table, "ddl_policy", chosen);
    }
    table
}
