//! Remedies that are about nothing in particular: each kind with all of its sentences, which are its documentation too.

use super::Remedy;
use std::fmt;

/// Enums of which each variant is a sentence.
macro_rules! sentences {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident => $words:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("```text\n", $words, "\n```")] $variant,)*
        }

        impl $name {
            /// All of them.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// This one, or another.
            pub fn or(self, other: impl Into<Remedy>) -> Remedy {
                Remedy::from(self).or(other)
            }

            /// This one, and then another.
            pub fn and(self, other: impl Into<Remedy>) -> Remedy {
                Remedy::from(self).and(other)
            }

            /// This one, and another beside it.
            pub fn also(self, other: impl Into<Remedy>) -> Remedy {
                Remedy::from(self).also(other)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $words,)* })
            }
        }

        impl From<$name> for Remedy {
            fn from(which: $name) -> Self {
                Self::$name(which)
            }
        }
    )*};
}

sentences! {
    /// What to compare, and to copy where it differs.
    Compare {
        Definition => "compare the table's definition with the target's",
        DefinitionAndRows => "compare the table's definition and rows with the target's; where they differ copy the table again",
        Meant => "compare the tables it may have meant, and copy those again that differ",
        Changed => "compare the tables it may have changed",
        CopyChanged => "copy the tables it changed again",
    }

    /// What to do at the source.
    AtSource {
        TurnOnLog => "set log_bin = binlog and binlog_format = ROW in the source's option file (on RDS: turn on automated backups) and restart it",
        KeepLogInCrash => "SET PERSIST sync_binlog = 1",
        KeepBinlogs => "keep binlogs longer (binlog_expire_logs_seconds, expire_logs_days)",
        LogEveryDatabase => "take binlog_do_db and binlog_ignore_db out of the server's option file, restart it",
        LogReceived => "if it is a replica: start it with log_slave_updates=ON (log_replica_updates since MySQL 8.0.26) and restart it, or connect to the server that the changes come from",
        ForgetReplica => "if it is no replica any more: RESET REPLICA ALL (RESET SLAVE ALL)",
        EndXa => "XA COMMIT or XA ROLLBACK those that XA RECOVER lists",
        TurnOnGtids => "set gtid_mode = ON and enforce_gtid_consistency = ON at the source",
        TurnOnGtidsBefore => "set gtid_mode=ON and enforce_gtid_consistency=ON (5.7 on, online: OFF_PERMISSIVE, ON_PERMISSIVE, ON in turn) before the first start",
        TurnOnGtidsAgain => "turn GTIDs on again (gtid_mode = ON)",
        LiveWithGtids => "with GTIDs (gtid_mode = ON) a task survives such a change",
        GrantSelect => "GRANT SELECT on them to the user",
        RemoveCascades => "remove the cascades (ALTER TABLE … DROP FOREIGN KEY …)",
        RemoveCascade => "remove the cascade",
        FlushDamaged => "the file is damaged at the source (what does its error log say of the disk?): FLUSH BINARY LOGS",
        FlushHosts => "this host is blocked after failed connections: run FLUSH HOSTS (TRUNCATE performance_schema.host_cache) at the source",
        SeeItself => "the server does not know a statement or a variable that it should: check that it is MySQL 5.6 or MariaDB 10.5 or newer, and that no proxy stands between; else report this",
        SeeAnswer => "mend at the source what its answer names; report this if nothing there explains it",
        SeeErrorLog => "see what the source says, and its error log",
        StateInUtf8 => "give such statements with utf8mb4 as character set",
        StateInOneCharset => "give such statements with the same character set for client and connection (SET NAMES utf8mb4)",
        StateUnderUtf8 => "give such statements under SET NAMES utf8mb4",
        StateInUtc => "under SET time_zone = '+00:00' such a statement is carried",
        StateAlgorithm => "with ALGORITHM=INPLACE or ALGORITHM=INSTANT written out such a statement is carried",
        LogJsonWhole => "if that recurs, set binlog_row_value_options = '' for all sessions of the source",
        StoreColumn => "make it a STORED one at the source",
        StoreTimesAnew => "SET GLOBAL mysql56_temporal_format = ON at the source and store the table anew (ALTER TABLE … FORCE)",
        ConvertColumn => "convert the column to utf8mb4 in the source",
        MendLabel => "take the question mark out of the label, give the column CHARACTER SET utf8mb3",
        AddKey => "add a primary key to the table",
        OtherDefault => "give the column another default",
        ShortenColumns => "shorten the columns",
        ShortenKey => "shorten the row's key in the source",
    }

    /// What to do at the target.
    AtTarget {
        CreateDatabase => "create the target database, or correct the database in the target's url",
        CreateUtf8Database => "create the database with ENCODING 'UTF8'",
        CreateTable => "create it",
        GrantNamed => "grant the target user the privilege that the message names, or make it the owner",
        KeepOthersOut => "a row with this key exists already: let no other writer write the target table, and drop unique indexes beside the primary key",
        TakeNull => "drop the NOT NULL of the column in the target table, or map it to a column that takes NULL",
        DropForeignKeys => "drop the foreign keys of and to the target table",
        DropCheck => "drop the check constraint of the target table",
        DropExclusion => "drop the exclusion constraint of the target table",
        DropConstraint => "drop the constraint of the target table that the message names",
        DropTriggers => "drop the triggers and rules of the target table",
        DropColumn => "drop the column, or live with that",
        DropOrRename => "drop or rename it",
        FreeColumn => "rename or drop that column of the target by hand",
        FreeName => "rename or drop the object of that name in the target, or map the source to another name",
        Restore => "restore it",
        RestoreColumn => "restore the column",
        RestoreTable => "restore the table",
        RestoreNamed => "restore the table, column or schema that the message names",
        RestoreComment => "restore the comment",
        RestoreRecords => "restore the task's tables in schema rowferry",
        RestoreSchema => "restore schema rowferry, or drop it: every task then copies again",
        InstallNamed => "install the type or function that the message names in the target",
        WidenPartitionKey => "a column that the table is partitioned (or distributed) by keeps its type: make the target table anew with the wider column and copy its rows over, which the task then takes for its own",
        WidenColumn => "the target column cannot hold this value: widen it, or choose another type for it",
        TypeOfCheck => "give the target column the type the precheck asks for",
        AlterLikeSource => "alter the target table as the source's was, then copy the table again",
        TypeOfPlan => "give the target column the type `rowferry plan` prints",
        OrdinaryTable => "let the target be an ordinary table",
        CorrectParameter => "the target refuses the value of a parameter or option that the message names: correct it (storage of the table's section, where it is one of WITH (…))",
        MendInstallation => "mend the server's installation: it misses a file",
        MendConfiguration => "mend the server's configuration",
        MendData => "the target reports damaged data: mend the server",
        Unsupported => "the target does not support this; see the message",
        Limits => "the target's limits are too small for this; see the message",
        State => "the target object is not in a state for this; see the message",
        SeeMessage => "see the target's message; the task goes on when its cause is mended",
        MakePartition => "the task goes on when the target table has a partition for this row (or a default partition)",
        MakePartitions => "see to it that partitions are made in time",
        MoreMemory => "give the role more (ALTER ROLE … SET statement_mem = '250MB'), or lower apply.batch_rows of the task; it goes on by itself then",
    }

    /// What to do in the config.
    InConfig {
        PathOfFile => "give the path of a readable file with -c",
        MendFile => "mend the file; config.example.toml shows every key",
        Listen => "free the address, or set daemon.listen to another (\"\" for none)",
        Tables => "correct \"tables\"",
        Pattern => "correct the pattern",
        TakeBack => "take that change back",
        StartPositionDone => "leave it so, or to start at start_position instead, drop what the task has on record (docs/operations.md, \"Going on after a statement\")",
        StartPositionKind => "give \"now\", or a file and an offset",
        StartPositionAfter => "choose a start_position after that statement, or let the data be copied",
        StartPositionPlace => "give a place that SHOW MASTER STATUS or a backup tells, in a file that SHOW BINARY LOGS lists",
        MemoryLimit => "raise memory_limit of the task",
        SpillDir => "name another folder with spill_dir in [daemon], or raise memory_limit of the task",
        SpillToDisk => "name a folder on a disk with spill_dir in [daemon], or with the environment variable TMPDIR",
        SpillRoom => "make room there",
        SpillRights => "let the daemon's user write there",
        OneTask => "take it out of the tables of one of the tasks, give one of them another target, or give both a source_column",
        NameATable => "name a table that the task has copied, as the source spells it: rowferry status lists them",
        NameWhatStands => "name the transaction that the task has failed at, and nothing else: rowferry status prints the command",
        TagFeeders => "give each feeder of the target table a source_column",
        OneFeeder => "give each a source_column, or targets of their own, or identifier_case = \"preserve\" where only case tells them apart",
        LikeFeeders => "make them alike (columns, types, exclude_columns, primary_key), or give each a target of its own",
        SectionName => "correct the section's name: it is database.table as in the source, letter by letter; or remove the section",
        ColumnName => "correct the column's name, or take it off exclude_columns",
        PauseTask => "pause the task, or those tables first",
        SelectParents => "select the tables that they refer to as well",
        CascadeName => "write database.table.constraint as SHOW CREATE TABLE prints them, or take it off accept_cascades",
        NoDistribution => "take distributed_by out of the section",
        Storage => "correct storage in the table's section: it is what stands in the brackets of CREATE TABLE … WITH (…), such as \"fillfactor=70\"",
        HeapStorage => "take appendonly, appendoptimized and orientation out of storage: heap tables are made then",
        CarryColumn => "take it off exclude_columns",
        OtherKey => "choose another key with primary_key",
        ShorterKey => "choose a shorter key with primary_key",
        WholeKey => "choose columns that include the source's primary key or a unique key, all NOT NULL",
        KeyWithout => "choose a key without it with primary_key",
        KeyWithoutAgain => "if such keys come again, choose a key without the column with primary_key, or leave the table out",
        LeaveTableOut => "leave the table out",
        LeaveTableOutUnless => "leave the table out, unless all keys are shorter",
        LeaveColumnOut => "leave the column out with `exclude_columns`",
        OtherColumnName => "give the source column another name with columns",
        OtherTableName => "map it to another name in the config",
        OtherSchemaName => "map the database to a schema of another name: schemas = { … } of the task",
        OtherDatabase => "have the task in another database of the target",
        NameAlone => "write only the table's name in target; the schema comes from schemas = { … } of the task",
        ExactType => "choose an exact type for it",
        OtherType => "choose another type for it in types, or take it off types",
        WiderType => "give the target column a wider type with `types`",
        Smallint => "carry the column as smallint (`tinyint1` or `types`)",
        Interval => "carry the column as interval (`time = \"interval\"`)",
        BadText => "set `bad_text` to \"replace\" or \"escape\"",
        NulBytes => "set `nul_bytes` to \"strip\" or \"replace\"",
        ZeroDates => "set `zero_dates = \"null\"` and drop the NOT NULL of the target column where it has one",
        KeyDates => "set `zero_dates_in_keys = \"bc\"`, which gives each of them a date before Christ of its own",
        NullDates => "drop the NOT NULL of the target column",
        ExistingTables => "drop or rename it, or choose existing_tables = \"clear\" (its rows go) or \"ignore\" (its rows stay)",
        SelectAndReload => "add it to the task's tables and run `rowferry reload`",
        FewerGroups => "set snapshot.groups or snapshot.parallel lower",
        ExistingShared => "choose existing_tables = \"ignore\", give both a source_column, or drop the other task's tables in schema rowferry if it is no more",
        InitialSchema => "add \"schema\" to initial",
        TargetUrl => "let the url name a PostgreSQL, Greenplum or AnalyticDB for PostgreSQL server",
        HostName => "give a host name or an address as host",
        SourceTls => "the server takes no connection without TLS: set tls = \"required\" or stronger",
        SourceTlsForPassword => "set tls = \"required\" or stronger: no key is needed then",
    }

    /// What to do about certificates, and where a server offers no TLS.
    Certificates {
        SourceWithout => "turn TLS on at the server (ssl_ca, ssl_cert, ssl_key; MySQL 5.6 and MariaDB before 11.4 make no certificates by themselves), or choose tls = \"preferred\" or \"disabled\"",
        TargetWithout => "turn TLS on at the server (ssl = on, ssl_cert_file, ssl_key_file), or choose tls = \"disable\" or \"prefer\"",
        NewerProtocol => "let the server offer TLS 1.2 or 1.3: upgrade it, or use a build with a current OpenSSL (MySQL 5.6 and 5.7 with yaSSL end at 1.1); until then turn tls off and go through an encrypted tunnel (ssh, stunnel, VPN)",
        CommonCipher => "let the server offer TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3; if it demands a client certificate, give cert_file and key_file",
        SoundKey => "let the server offer TLS 1.2 or 1.3 with a certificate of an RSA (2048 bits or more) or ECDSA key; report this if it does",
        SeeServerLog => "look into the server's log; let it offer TLS 1.2 or 1.3",
        RightAuthority => "give as ca_file the certificate that really signed the server's; let the server's key be RSA of 2048 bits or more, or ECDSA",
        KnownAuthority => "give as ca_file the certificate of the authority that signed the server's (MySQL's own is ca.pem in its data directory), with those in between if the server does not send them",
        Renew => "renew it at the server (or ca_file, if that is the expired one), and check this machine's clock",
        Clocks => "check the clocks of this machine and of the one that made the certificate",
        HostOfCertificate => "let the config's host be a name of the certificate, give the server a certificate that names the host as subjectAltName, or judge the chain alone with tls = \"verify_ca\"",
        WithExtensions => "make the server's certificate with version 3 extensions (subjectAltName among them), or put it into ca_file itself",
        ForServers => "give the server a sound certificate of version 3 for the use as a server",
        Authorities => "give ca_file, a PEM file with them",
        AuthoritiesOfVersion3 => "give certificates of X.509 version 3 as ca_file",
        Own => "give cert_file and key_file",
        OwnUnderTls => "give cert_file and key_file, with tls = \"require\" or stronger",
        OwnOrNone => "give both or none",
        OwnTrusted => "give as cert_file a certificate that is valid now and signed by an authority that the server trusts (MySQL: ssl_ca, PostgreSQL: ssl_ca_file), the client's first, those that signed it after it; key_file is its key",
        OwnKey => "give a key that is RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519",
        OwnPair => "give a certificate and its own key; the client's certificate comes first, those that signed it after it",
    }

    /// Where to connect.
    Connect {
        Same => "connect to the server the task was copied from",
        SameOrComplete => "connect to the server the task was copied from (or to one that has all its transactions and logs them)",
        SameFamily => "connect to a server of the family the task was copied from",
        Complete => "the source lost or never had transactions that this task has already carried (a failover or a restore?): name the server that has them",
        OutsideGroup => "stream from a server outside the group",
        WithoutPooler => "connect to the server itself, or through a pooler that keeps a session for each connection",
        Supported => "use PostgreSQL 12 or later, Greenplum 6 or 7, or AnalyticDB for PostgreSQL 6.0 or 7.0",
    }

    /// What to upgrade.
    Upgrade {
        Source => "upgrade the source to MySQL 5.6 or newer, or MariaDB 10.5 or newer",
        Rowferry => "a newer version of this program may understand it",
        Writer => "run the version of rowferry that wrote it",
        NewerWriter => "run the newer rowferry that wrote it",
    }

    /// What to start again.
    Restart {
        Again => "start again",
        Judged => "start the task again: it is judged and copied then",
        Daemon => "then restart the daemon",
        After => "start the task anew after this place (docs/operations.md, \"Going on after a statement\")",
        Later => "it may pass by itself; else see that the server runs and that host and port are right, and try again",
    }

    /// What to report.
    Report {
        This => "nothing outside this program can; please report it",
        WithLog => "this cannot be mended from outside: please report it with the log",
        AndRestart => "restart the daemon, and please report it with the log",
        Fault => "this is a fault of the program: report it",
        Statement => "report the statement: this version does not know it",
        WithoutStorage => "without storage report this",
        NoTlsVersion => "report this: no TLS version is usable",
    }
}
