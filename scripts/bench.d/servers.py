"""The servers of the benchmark, started through scripts/servers on free ports with data directories of their own."""

import os
import signal
import subprocess
from urllib.parse import urlsplit, urlunsplit

from process import BenchError, Child, Pipeline, free_port, run, tree_cpu, wait_until

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVERS = os.path.join(SCRIPTS, "servers")


class Mysql:
    """A MySQL server: 9.7 as the source and as the replica to compare with, 5.6 for pgloader."""

    def __init__(self, kind, folder, options=()):
        self.kind, self.folder, self.port = kind, folder, free_port()
        os.makedirs(folder, exist_ok=True)
        run([SERVERS, "prepare", kind, folder])
        self.server = Child(kind, [SERVERS, "run", kind, folder, str(self.port), *options], f"{folder}/output.log")
        self.pid = self.server.pid

        def answers():
            self.server.assert_alive()
            return self.try_sql("SELECT 1") == "1"

        wait_until(f"{kind} answers", answers, 90, 0.2)

    @property
    def client(self):
        """The command line of its client."""
        return [SERVERS, "client", self.kind, "--protocol=tcp", "-h127.0.0.1", f"-P{self.port}", "-uroot"]

    def try_sql(self, sql):
        """What `sql` prints, or None when it fails."""
        command = [*self.client, "--batch", "--skip-column-names", "-e", sql]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def sql(self, sql, database=""):
        """Runs statements; gives the lines they print."""
        command = [*self.client, "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        return run([*command, *([database] if database else [])], input=sql).strip()

    def variables(self, *names):
        """Global variables by name; those that this server does not have are left out."""
        quoted = ", ".join(f"'{name}'" for name in names)
        lines = self.sql(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({quoted})").splitlines()
        return dict(line.split("\t", 1) if "\t" in line else (line, "") for line in lines)

    def cpu(self):
        """CPU seconds so far."""
        return tree_cpu(self.pid)

    def stop(self):
        """Ends it at once: nothing of it is kept."""
        self.server.stop(signal.SIGKILL)


class Target:
    """One database of a PostgreSQL or Greenplum, made for the benchmark and dropped at its end."""

    def __init__(self, name, url, database, cpu=None):
        self.name, self.admin, self.database, self.cpu = name, url, database, cpu
        parts = urlsplit(url)
        self.url = urlunsplit(parts._replace(path=f"/{database}", query=""))
        run([SERVERS, "client", "postgres", "-d", self.admin, "-v", "ON_ERROR_STOP=1", "-qAt",
             "-c", f"CREATE DATABASE {database}"])

    @property
    def client(self):
        """The command line of psql with this database; the DSN holds no space."""
        return [SERVERS, "client", "postgres", "-d", self.url]

    def sql(self, sql):
        """Runs statements; gives the lines they print."""
        return run([*self.client, "-v", "ON_ERROR_STOP=1", "-qAt"], input=sql).strip()

    def settle(self):
        """Lets the work that it has put off be done now: a checkpoint."""
        try:
            self.sql("CHECKPOINT")
        except BenchError:
            pass  # a role that may not is no reason to stop

    def copy_in(self, table, path, options):
        """COPY from a file of this machine through the client."""
        return Pipeline([[*self.client, "-v", "ON_ERROR_STOP=1", "-q", "-c", f"\\copy {table} FROM '{path}' {options}"]])

    def settings(self, *names):
        """Settings by name; those that this server does not have are left out."""
        quoted = ", ".join(f"'{name}'" for name in names)
        lines = self.sql(f"SELECT name || '=' || setting || coalesce(' ' || unit, '') FROM pg_settings WHERE name IN ({quoted}) ORDER BY name")
        return dict(line.split("=", 1) for line in lines.splitlines())

    def drop(self):
        """Drops the database; sessions that are still there are ended first."""
        sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.database}'"
        try:
            run([SERVERS, "client", "postgres", "-d", self.admin, "-qAt", "-c", sql, "-c", f"DROP DATABASE {self.database}"])
        except BenchError as error:
            print(f"bench: database {self.database} is left behind: {error}")


class Postgres:
    """A PostgreSQL server of our own."""

    def __init__(self, folder, options=()):
        self.folder, self.port = folder, free_port()
        os.makedirs(folder, exist_ok=True)
        run([SERVERS, "prepare", "postgres", folder])
        command = [SERVERS, "run", "postgres", folder, str(self.port), *options]
        self.server = Child("PostgreSQL", command, f"{folder}/output.log")
        self.pid = self.server.pid
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

        def answers():
            self.server.assert_alive()
            ask = [SERVERS, "client", "postgres", "-d", self.url, "-c", "SELECT 1"]
            return subprocess.run(ask, capture_output=True, check=False).returncode == 0

        wait_until("PostgreSQL answers", answers, 60, 0.2)

    def stop(self):
        """Ends it at once, with all its backends."""
        self.server.stop(signal.SIGQUIT)
