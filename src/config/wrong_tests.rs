//! Wrong config files, and what each is told.

use super::*;

const SHORT: &str = r#"
[daemon]
[source.shop]
url = "mysql://repl@db1"
[target.dw]
url = "postgresql://loader@adb/dw"
[task.shop]
source = "shop"
target = "dw"
tables = ["shop.*"]
"#;

/// What stands in the file above, what stands in its place in the wrong one, and the message.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "[task.shop]",
        "[task.shop]\nexisting_table = \"clear\"",
        "task.shop.existing_table = \"clear\": is not a known key. To mend it: did you mean \"existing_tables\"?",
    ),
    ("[daemon]", "[deamon]", "deamon = {}: is not a known key. To mend it: did you mean \"daemon\"?"),
    (
        "[daemon]",
        "[daemon]\nlisten = \"8484\"",
        "daemon.listen = 8484: must be host:port, or empty for no listener. To mend it: write e.g. \"127.0.0.1:8484\".",
    ),
    (
        "[daemon]",
        "[daemon]\nlog_level = \"loud=very\"",
        "daemon.log_level = loud=very: must be a level (error, warn, info, debug, trace) or a filter. To mend it: write e.g. \"info\".",
    ),
    (
        "[daemon]",
        "[daemon]\nlog_format = \"xml\"",
        "daemon.log_format = \"xml\": must be one of \"text\", \"json\". To mend it: choose one of them.",
    ),
    (
        "[daemon]",
        "[daemon]\nshutdown_grace = \"soon\"",
        "daemon.shutdown_grace = soon: must be a duration. To mend it: write e.g. \"30s\" or \"2m\".",
    ),
    (
        "[daemon]",
        "[task.shop.apply]\nstatement_timeout = \"0s\"\n[daemon]",
        "task.shop.apply.statement_timeout = 0s: must be a duration from 1s to 1day. To mend it: write e.g. \"5m\".",
    ),
    (
        "mysql://repl@db1",
        "postgresql://repl@db1",
        "source.shop.url: must start with mysql:// or mariadb://. To mend it: write e.g. \"mysql://user@host:3306\".",
    ),
    (
        "mysql://repl@db1",
        "mysql://repl@db1/shop",
        "source.shop.url = \"mysql://repl@db1/shop\": a source's url has no path. To mend it: select databases with the task's \"tables\".",
    ),
    (
        "mysql://repl@db1",
        "mysql://repl@db1?ssl=1",
        "source.shop.url = \"mysql://repl@db1?ssl=1\": options in the url are not read. To mend it: use the keys tls, ca_file, … instead.",
    ),
    (
        "mysql://repl@db1",
        "db1",
        "source.shop.url: is no URL (relative URL without a base). To mend it: write e.g. \"mysql://user@host:3306\".",
    ),
    (
        "mysql://repl@db1",
        "mysql://db1",
        "source.shop.user: is missing. To mend it: give it in \"url\" or as a key.",
    ),
    (
        "postgresql://loader@adb/dw",
        "mysql://loader@adb/dw",
        "target.dw.url: must start with postgresql:// or postgres://. To mend it: write e.g. \"postgresql://user@host:5432/database\".",
    ),
    (
        "postgresql://loader@adb/dw",
        "postgresql://loader@adb",
        "target.dw.database: is missing. To mend it: give it at the end of \"url\" or as a key.",
    ),
    (
        "[source.shop]",
        "[source.shop]\nport = 70000",
        "source.shop.port = 70000: must be a whole number from 1 to 65535. To mend it: write a number in that range.",
    ),
    (
        "[source.shop]",
        "[source.shop]\npassword = \"a\"\npassword_env = \"B\"",
        "t has 2 problems:\n  - source.shop.password: is given more than once; keep one of password, password_env, password_file and the url's\n  - source.shop.password_env = \"B\": this environment variable is not set; set it for the service, or use password_file",
    ),
    (
        "[source.shop]",
        "[source.shop]\npassword_env = \"NO_SUCH_VARIABLE\"",
        "source.shop.password_env = \"NO_SUCH_VARIABLE\": this environment variable is not set. To mend it: set it for the service, or use password_file.",
    ),
    (
        "[source.shop]",
        "[source.shop]\npassword_file = \"/nowhere/pw\"",
        "source.shop.password_file = \"/nowhere/pw\": cannot be read (No such file or directory (os error 2)). To mend it: make it readable to the daemon's user.",
    ),
    (
        "[source.shop]",
        "[source.shop]\ntls = \"maybe\"",
        "source.shop.tls = \"maybe\": must be one of \"disabled\", \"preferred\", \"required\", \"verify_ca\", \"verify_identity\". To mend it: choose one of them.",
    ),
    (
        "[source.shop]",
        "[source.shop]\ntls = \"disabled\"\nca_file = \"/nowhere/ca.pem\"",
        "source.shop.ca_file = \"/nowhere/ca.pem\": has no effect while tls is off. To mend it: turn tls on or remove the key.",
    ),
    (
        "[source.shop]",
        "[source.shop]\ntls = \"verify_ca\"",
        "source.shop.ca_file: is missing: the verify_ modes need certificates to trust. To mend it: name a PEM file with them (the system's own: /etc/ssl/certs/ca-certificates.crt).",
    ),
    (
        "[source.shop]",
        "[source.shop]\ntls = \"required\"\ncert_file = \"/dev/null\"",
        "source.shop.cert_file: cert_file and key_file belong together. To mend it: give both or neither.",
    ),
    (
        "[target.dw]",
        "[target.dw]\nkind = \"oracle\"",
        "target.dw.kind = \"oracle\": must be one of \"auto\", \"postgresql\", \"greenplum\", \"analyticdb\". To mend it: choose one of them.",
    ),
    (
        "[task.shop]",
        "[task.Shop]",
        "task.Shop: a task's name has up to 40 lower-case letters, digits and '_', a letter first. To mend it: rename the task; its name names tables in the target.",
    ),
    (
        "source = \"shop\"",
        "source = \"shops\"",
        "task.shop.source = \"shops\": there is no [source.shops]. To mend it: name one of shop.",
    ),
    ("target = \"dw\"\n", "", "task.shop.target: is missing. To mend it: name a [target.NAME]."),
    (
        "tables = [\"shop.*\"]",
        "",
        "task.shop.tables: is missing. To mend it: list tables, e.g. [\"shop.*\", \"!shop.tmp_*\"].",
    ),
    (
        "[\"shop.*\"]",
        "\"shop.*\"",
        "task.shop.tables = \"shop.*\": must be a list of strings, not string. To mend it: write it in brackets, each string in quotes: [\"…\"].",
    ),
    (
        "[\"shop.*\"]",
        "[\"shop\"]",
        "task.shop.tables = \"shop\": must be database.table; both may hold * and ?. To mend it: write e.g. \"shop.orders\" or \"shop.*\".",
    ),
    (
        "[\"shop.*\"]",
        "[\"shop.[a\"]",
        "task.shop.tables = \"shop.[a\": is no glob (unclosed character class; missing ']'). To mend it: write e.g. \"shop.order_*\".",
    ),
    (
        "[\"shop.*\"]",
        "[\"!shop.tmp\"]",
        "task.shop.tables: selects nothing. To mend it: list at least one table without '!'.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nschemas = { shop = 1 }",
        "task.shop.schemas.shop = 1: must be a string. To mend it: put it in quotes.",
    ),
    (
        "[task.shop]",
        "[task.shop]\ninitial = [\"rows\"]",
        "task.shop.initial = \"rows\": must be \"schema\" or \"data\". To mend it: use [\"schema\", \"data\"], one of them, or [].",
    ),
    (
        "[task.shop]",
        "[task.shop]\ninitial = []",
        "task.shop.start_position: is needed when initial has no \"data\". To mend it: give \"now\", GTIDs, or a file and an offset.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nstart_position = \"now\"",
        "task.shop.start_position = \"now\": has no effect while initial has \"data\": the copy chooses its own start. To mend it: remove it, or take \"data\" out of initial.",
    ),
    (
        "[task.shop]",
        "[task.shop]\ninitial = []\nstart_position = \"yesterday\"",
        "task.shop.start_position = \"yesterday\": is no position in a binlog. To mend it: give \"now\", a GTID set such as 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77, MariaDB's GTIDs such as 0-1-77, or a file and an offset such as binlog.000042:4.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nexisting_tables = \"overwrite\"",
        "task.shop.existing_tables = \"overwrite\": must be one of \"error\", \"clear\", \"ignore\". To mend it: choose one of them.",
    ),
    (
        "[task.shop]",
        "[task.shop]\noperations = []",
        "task.shop.operations = []: carries nothing: the target would stay as it was copied. To mend it: list at least one of insert, update, delete and alter_table, or leave the key out for all.",
    ),
    (
        "[task.shop]",
        "[task.shop]\noperations = [\"upsert\"]",
        "task.shop.operations = \"upsert\": must be insert, update, delete or alter_table. To mend it: list the operations to carry.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nidentifier_case = \"upper\"",
        "task.shop.identifier_case = \"upper\": must be one of \"lower\", \"preserve\". To mend it: choose one of them.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nzero_dates = \"skip\"",
        "task.shop.zero_dates = \"skip\": must be one of \"null\", \"error\". To mend it: choose one of them.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nnul_bytes = \"drop\"",
        "task.shop.nul_bytes = \"drop\": must be one of \"error\", \"strip\", \"replace\". To mend it: choose one of them.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nbad_rows = \"skip\"",
        "task.shop.bad_rows = \"skip\": must be one of \"park\", \"quarantine\". To mend it: choose one of them.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nmemory_limit = \"1KiB\"",
        "task.shop.memory_limit = \"1KiB\": must be a size of at least 32 MiB. To mend it: write e.g. \"256MiB\".",
    ),
    (
        "[task.shop]",
        "[task.shop]\nserver_id = -1",
        "task.shop.server_id = -1: must be a whole number from 0 to 4294967295. To mend it: write a number in that range.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nindexes = \"non_unique\"",
        "task.shop.indexes = \"non_unique\": is not supported yet. To mend it: use \"none\" and create indexes in the target yourself.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nsnapshot = { parallel = 0 }",
        "task.shop.snapshot.parallel = 0: must be a whole number from 1 to 64. To mend it: write a number in that range.",
    ),
    (
        "[task.shop]",
        "[task.shop]\napply = { batch_bytes = \"1GiB\" }",
        "task.shop.apply.batch_bytes = 1073741824: must be at most an eighth of memory_limit: up to four batches are held at a time. To mend it: raise memory_limit or lower batch_bytes.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nvacuum = { window = \"22-6\" }",
        "task.shop.vacuum.window = \"22-6\": must be two different times of day in UTC. To mend it: write e.g. \"22:00-06:00\", or leave it out for any time.",
    ),
    (
        "[task.shop]",
        "[task.shop]\nddl_policy = { drop_colum = \"stop\" }",
        "task.shop.ddl_policy.drop_colum = \"stop\": is not a known key. To mend it: did you mean \"drop_column\"?",
    ),
    (
        "[task.shop]",
        "[task.shop]\nddl_policy = { narrow_column = \"apply\" }",
        "task.shop.ddl_policy.narrow_column: it cannot be passed over or done at the target: the log does not tell what it did to the rows. To mend it: use \"recopy\", \"park\" or \"stop\".",
    ),
    (
        "[task.shop]",
        "[task.shop]\naccept_cascades = \"shop.a.b\"",
        "task.shop.accept_cascades = \"shop.a.b\": must be a list of strings, not string. To mend it: write it in brackets, each string in quotes: [\"…\"].",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.orders]\ntarget = \"o\"",
        "task.shop.table.orders: a table section is named \"database.table\", globs allowed. To mend it: write e.g. [task.NAME.table.\"shop.orders\"].",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.\"shop.o*\"]\ntarget = \"o\"",
        "task.shop.table.\"shop.o*\".target = o: would merge every table that matches into one. To mend it: add source_column, or name one table.",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.\"shop.o\"]\ndistributed_by = []",
        "task.shop.table.\"shop.o\".distributed_by = []: must be a list of columns, each once, or \"replicated\". To mend it: write e.g. [\"id\"], or leave it out for the primary key.",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.\"shop.o\"]\ndistributed_by = [\"id\", \"id\"]",
        "task.shop.table.\"shop.o\".distributed_by = [\"id\", \"id\"]: must be a list of columns, each once, or \"replicated\". To mend it: write e.g. [\"id\"], or leave it out for the primary key.",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.\"shop.o\"]\nexclude_columns = \"secret\"",
        "task.shop.table.\"shop.o\".exclude_columns = \"secret\": must be a list of strings, not string. To mend it: write it in brackets, each string in quotes: [\"…\"].",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.\"shop.o\"]\ntypes = { a = true }",
        "task.shop.table.\"shop.o\".types.a = true: must be a string. To mend it: put it in quotes.",
    ),
    (
        "\"]\n",
        "\"]\n[task.shop.table.\"shop.o\"]\nexclude_column = [\"secret\"]",
        "task.shop.table.\"shop.o\".exclude_column = [\"secret\"]: is not a known key. To mend it: did you mean \"exclude_columns\"?",
    ),
];

#[test]
fn every_wrong_file_is_told_what_is_wrong_and_what_mends_it() {
    let mut missed = String::new();
    for (stands, wrong, message) in WRONG {
        assert!(SHORT.contains(stands), "{stands}");
        let text = SHORT.replacen(stands, wrong, 1);
        let found = match parse("t", &text, &|_| None) {
            Err(error) => error.to_string(),
            Ok(_) => "nothing".to_owned(),
        };
        if found != *message && found.strip_prefix("t: ") != Some(message) {
            missed += &format!("\n{wrong:?}\n  gives {found}\n  not   {message}");
        }
    }
    assert!(missed.is_empty(), "{missed}");
}
