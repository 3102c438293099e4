//! The usual set-up of a test: one MySQL database, one PostgreSQL database, one config.

use super::{
    Config, DEADLINE, Daemon, Mysql, MysqlDatabase, Postgres, PostgresDatabase, Proxy, mysql97, postgres,
    tables_equal, wait_applied,
};

/// A source database and a target database, both named after the test.
#[derive(Debug)]
pub struct Scene<'servers> {
    /// In MySQL.
    pub source: MysqlDatabase<'servers>,
    /// In PostgreSQL; the source's database becomes a schema of the same name there.
    pub target: PostgresDatabase<'servers>,
}

impl Scene<'static> {
    /// Databases on the shared MySQL 9.7 and PostgreSQL 15. The name is the test's: lower case, unique in the suite.
    pub async fn new(name: &str) -> Self {
        let (mysql, postgres) = tokio::join!(mysql97(), postgres());
        Scene::on(mysql, postgres, name).await
    }
}

impl<'servers> Scene<'servers> {
    /// Databases on the given servers.
    pub async fn on(mysql: &'servers Mysql, postgres: &'servers Postgres, name: &str) -> Self {
        let (source, target) = tokio::join!(mysql.database(name), postgres.database(name));
        Self { source, target }
    }

    /// A config for all tables of the source database.
    pub fn config(&self) -> Config {
        let tables = format!("{}.*", self.source.name);
        Config::new(&self.source.server.url(), &self.target.url(), &[&tables])
    }

    /// As [`Self::config`], with proxies in front of the servers: source, target.
    pub fn config_through(&self, source: Option<&Proxy>, target: Option<&Proxy>) -> Config {
        let mut config = self.config();
        if let Some(proxy) = source {
            config = config.source("url", &format!("{:?}", proxy.url(&self.source.server.url())));
        }
        if let Some(proxy) = target {
            config = config.target("url", &format!("{:?}", proxy.url(&self.target.url())));
        }
        config
    }

    /// Runs the daemon with [`Self::config`] and waits for Synchronizing.
    pub async fn start(&self) -> Daemon {
        self.start_with(&self.config()).await
    }

    /// Runs the daemon and waits for Synchronizing.
    pub async fn start_with(&self, config: &Config) -> Daemon {
        let daemon = Daemon::start(config);
        daemon.wait_phase("Synchronizing", DEADLINE * 2).await;
        daemon
    }

    /// Waits until everything executed on the source by now is durable in the target.
    pub async fn wait_applied(&self, daemon: &Daemon) {
        wait_applied(daemon, self.source.server).await;
    }

    /// As [`Self::assert_equal`], and no row of any table was found missing or in the way on the way there.
    pub async fn assert_exact(&self, daemon: &Daemon, tables: &[&str]) {
        self.wait_applied(daemon).await;
        for table in tables {
            self.assert_equal(table).await;
        }
        let task = daemon.task().await.expect("the daemon answers");
        let drift: Vec<_> = task.tables.iter().filter(|(_, table)| table.drift > 0).collect();
        assert!(drift.is_empty(), "drift: {drift:#?}");
    }

    /// Panics with the first differences unless a table is the same on both sides, row by row. Gives its rows.
    pub async fn assert_equal(&self, table: &str) -> usize {
        self.equal(table).await.unwrap_or_else(|difference| panic!("{difference}"))
    }

    /// The rows of a table that is the same on both sides, row by row, or its first differences.
    pub async fn equal(&self, table: &str) -> Result<usize, String> {
        let name = format!("{}.{table}", self.source.name);
        tables_equal(self.source.server, &name, &self.target, &name).await
    }
}
