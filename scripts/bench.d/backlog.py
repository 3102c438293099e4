"""Backlogs: written while nobody follows, then caught up by MySQL's own replica and by rowferry, one after the other."""

import signal

from ferry import Ferry
from process import BenchError, wait_until
from servers import Mysql

REPLICA_SETTINGS = (
    "replica_parallel_workers", "replica_parallel_type", "replica_preserve_commit_order", "innodb_flush_log_at_trx_commit",
    "sync_binlog", "log_bin", "log_replica_updates", "innodb_buffer_pool_size", "innodb_doublewrite", "sync_relay_log",
)


class Replica:
    """A second MySQL 9.7 that follows the source by GTID, with 4 workers and without a binlog of its own."""

    def __init__(self, bench):
        self.source, self.patience, self.clock = bench.source, bench.patience, bench.clock
        self.mysql = Mysql("mysql97", bench.folder("replica"), [
            *bench.mysql_options, "--skip-log-bin", "--skip-replica-start", "--replica-parallel-workers=4"])
        self.source.sql("CREATE USER IF NOT EXISTS bench_replica IDENTIFIED BY 'replica'; GRANT REPLICATION SLAVE ON *.* TO bench_replica")

    def settings(self):
        """Its durability and parallelism, as it says itself."""
        return self.mysql.variables(*REPLICA_SETTINGS)

    def follow_from_here(self):
        """Forgets the source's past, which must have no GTID at this moment, and follows from now on."""
        databases = self.mysql.sql("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'bench%'").split()
        drop = "".join(f"DROP DATABASE {database}; " for database in databases)
        self.mysql.sql(f"""STOP REPLICA; RESET REPLICA ALL; {drop} RESET BINARY LOGS AND GTIDS;
            CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {self.source.port}, SOURCE_USER = 'bench_replica',
              SOURCE_PASSWORD = 'replica', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1""")

    def catch_up(self, executed):
        """Starts it, waits until it has executed a GTID set, stops it. Gives the seconds from the start."""
        clock = self.clock()
        self.mysql.sql("START REPLICA")
        while self.mysql.sql(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{executed}', 10)") != "0":
            errors = self.mysql.sql("SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker UNION "
                                    "SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_connection_status")
            if errors.strip() or clock() > self.patience:
                raise BenchError(f"the replica does not get there: {' '.join(errors.split())}")
        seconds = clock()
        self.mysql.sql("STOP REPLICA")
        return seconds

    def pause(self, stopped):
        """Takes it off the processors while others are measured."""
        self.mysql.server.send(signal.SIGSTOP if stopped else signal.SIGCONT)


def executed(source):
    """The source's gtid_executed on one line."""
    return source.sql("SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')").replace("\\n", "")


def binlog_bytes(source):
    """The size of all of the source's binlogs."""
    return sum(int(line.split("\t")[1]) for line in source.sql("SHOW BINARY LOGS").splitlines())


class Backlog:
    """One kind of backlog: how its tables are made and how it is written; `size` counts what `unit` names."""

    def __init__(self, name, title, tables, prepare, write, rows, transactions, aim=""):
        self.name, self.title, self.tables = name, title, tables
        self.prepare, self.write = prepare, write
        self.rows, self.transactions, self.aim = rows, transactions, aim

    def run(self, bench, report, replica, target_kinds):
        """Writes it once; the replica and each target then catch up with the same log."""
        source, database = bench.source, f"bench_{self.name}"
        source.sql("RESET BINARY LOGS AND GTIDS")
        if replica:
            replica.follow_from_here()
        source.sql(f"CREATE DATABASE {database}")
        self.prepare(database)
        ferries = []
        try:
            for kind in target_kinds:
                target = bench.new_target(kind)
                ferry = Ferry(bench.program, bench.folder(f"{self.name}-{kind}"), source, target, database)
                ferry.start()
                ferries.append((kind, target, ferry))
                ferry.wait_synchronizing(bench.patience)
                ferry.stop()
            if replica:
                replica.catch_up(executed(source))
            before = binlog_bytes(source)
            self.write(database)
            size = binlog_bytes(source) - before
            report.begin(self.name, f"{self.title}, {size / 1e6:.0f} MB of binlog")
            slower = replica and self.replica(bench, report, replica, size)
            if replica:
                replica.pause(True)
            for kind, target, ferry in ferries:
                self.rowferry(bench, report, kind, target, ferry, size, slower)
        finally:
            if replica:
                replica.pause(False)
            for _, target, ferry in ferries:
                ferry.stop()
                bench.drop(target)
        source.sql(f"DROP DATABASE {database}")

    def replica(self, bench, report, replica, size):
        """MySQL's own replica; gives its seconds."""
        bench.settle()
        goal, source_before, before = executed(bench.source), bench.source.cpu(), replica.mysql.cpu()
        seconds = replica.catch_up(goal)
        cpu = (None, bench.source.cpu() - source_before, replica.mysql.cpu() - before)
        report.add("MySQL's own replica", seconds, self.rows, size, cpu, figures=self.rate(seconds))
        return seconds

    def rowferry(self, bench, report, kind, target, ferry, size, slower):
        """From the start of the process until its durable position covers the source's."""
        target.settle()
        bench.settle()
        goal, source_before, before = executed(bench.source), bench.source.cpu(), target.cpu and target.cpu()
        clock = bench.clock()
        ferry.start()
        ferry.wait_applied(goal, bench.patience)
        seconds = clock()
        cpu = (ferry.cpu(), bench.source.cpu() - source_before, target.cpu and target.cpu() - before)
        peak, drift = ferry.peak(), ferry.drift()
        ferry.stop()
        verdict = bench.compare(f"bench_{self.name}", target, self.tables)
        if drift:
            verdict = f"DIFFERENT: {drift} rows of drift"
        ratios = [("× faster than the replica", slower / seconds, self.aim if kind == "PostgreSQL" else "")] if slower else []
        report.add(f"rowferry → {kind}", seconds, self.rows, size, cpu, peak, ratios, verdict, self.rate(seconds))

    def rate(self, seconds):
        """Transactions a second."""
        return {"transactions/s": round(self.transactions / seconds)}


def wait_settled(servers, seconds=20):
    """Waits until the servers have nothing left to do, for so long at most: work that was put off belongs to nobody's time."""
    last = [server() for server in servers]

    def quiet():
        nonlocal last
        now = [server() for server in servers]
        used, last = sum(now) - sum(last), now
        return used < 0.1

    try:
        wait_until("the servers are quiet", quiet, seconds, 1.0)
    except BenchError:
        pass
