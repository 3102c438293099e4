"""Starts the servers, runs what is asked for, prints the figures. See scripts/bench for its options."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import backlog
import data
from initial import Copy
from live import live
from process import BenchError, run, tree_cpu
from report import Report
from servers import SCRIPTS, Mysql, Postgres, Target

SECTIONS = ("copy", "wide", "oltp", "uniform", "bulk", "updates", "latency", "idle")
ROOT = os.path.dirname(SCRIPTS)
SOURCE_SETTINGS = (
    "version", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_transaction_compression", "sync_binlog",
    "innodb_flush_log_at_trx_commit", "innodb_buffer_pool_size",
)
TARGET_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "wal_level")


class Sizes:
    """How much of everything: in full, or enough to see that it all works."""

    def __init__(self, options):
        quick = options.quick
        self.orders = options.rows or (20000 if quick else 1000000)
        self.wide = 1000 if quick else 20000
        self.oltp, self.sysbench_rows = (1000, 2000) if quick else (40000, 100000)
        self.bulk, self.bulk_rows = (10, 2000) if quick else (167, 8400)
        self.updates, self.update_rows = (4, 1000) if quick else (40, 10000)
        self.rate, self.latency_seconds = 200, 5 if quick else 30
        self.idle_seconds = 5 if quick else 30
        self.repeat = options.repeat or (1 if quick else 3)


class Bench:
    """What all measurements share: the servers, the program, a folder that goes away at the end."""

    def __init__(self, options):
        self.program, self.patience = os.path.abspath(options.program), options.patience
        self.directory = tempfile.mkdtemp(prefix="rowferry-bench.")
        os.chmod(self.directory, 0o755)  # PostgreSQL may run as another user
        self.mysql_options = ["--innodb-buffer-pool-size=1G", "--innodb-redo-log-capacity=1G"]
        self.greenplum = os.environ.get("ROWFERRY_TEST_GREENPLUM")
        self.replica, self.started, self.targets, self.count = None, [], [], 0
        self.source = self.started_server(Mysql("mysql97", self.folder("source"), self.mysql_options))
        self.postgres = self.started_server(Postgres(self.folder("postgres"), [
            "-c", f"fsync={options.fsync}", "-c", "shared_buffers=1GB"]))
        self.kinds = [kind for kind in ("PostgreSQL", "Greenplum") if kind == "PostgreSQL" or self.greenplum]

    def started_server(self, server):
        """Remembers a server for the end."""
        self.started.append(server)
        return server

    def folder(self, name):
        """A folder of this run."""
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        return path

    def new_target(self, kind):
        """A fresh database of a PostgreSQL or the Greenplum."""
        self.count += 1
        name = f"rowferry_bench_{os.getpid()}_{self.count}"
        if kind == "Greenplum":
            target = Target(kind, self.greenplum, name)
        else:
            target = Target(kind, self.postgres.url, name, lambda: tree_cpu(self.postgres.pid))
        self.targets.append(target)
        return target

    def drop(self, target):
        """Drops its database."""
        self.targets.remove(target)
        target.drop()

    @staticmethod
    def clock():
        """A stopwatch: call it for the seconds since now."""
        start = time.monotonic()
        return lambda: time.monotonic() - start

    def settle(self):
        """Waits until both servers have done what they had put off."""
        backlog.wait_settled([self.source.cpu, lambda: tree_cpu(self.postgres.pid)])

    def compare(self, database, target, tables):
        """EQUAL, or DIFFERENT and how (scripts/compare)."""
        mysql = " ".join(["scripts/servers", *self.source.client[1:]])
        postgres = " ".join(["scripts/servers", *target.client[1:]])
        environment = {**os.environ, "COMPARE_MYSQL": mysql, "COMPARE_POSTGRES": postgres, "TMPDIR": self.directory}
        done = subprocess.run(["scripts/compare", database, database, *tables], cwd=ROOT, env=environment,
                              capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.splitlines()[-1] == "EQUAL":
            return "EQUAL"
        print(done.stdout + done.stderr, file=sys.stderr)
        return "DIFFERENT (see above)"

    def facts(self):
        """Where and with what this was measured."""
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
        try:
            commit = run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"]).strip()
        except (BenchError, OSError):
            commit = "unknown"
        target = self.new_target("PostgreSQL")
        settings = target.settings(*TARGET_SETTINGS)
        self.drop(target)
        other = {}
        if self.greenplum:
            target = self.new_target("Greenplum")
            other["greenplum"] = target.sql("SELECT version()")
            self.drop(target)
        return {
            "when": time.strftime("%Y-%m-%d %H:%M:%S %z"), "rowferry": run([self.program, "--version"]).strip(), "commit": commit,
            "processors": f"{os.cpu_count()} × {model}", "kernel": os.uname().release, "load average before": f"{os.getloadavg()[0]:.2f}",
            "source": self.source.variables(*SOURCE_SETTINGS), "target": settings, **other,
        }

    def end(self):
        """Ends every server and removes the folder."""
        for target in list(self.targets):
            if target.name == "Greenplum":
                self.drop(target)
        for server in self.started:
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def copies(bench, report, name, title, database, table, rows, load, repeat):
    """The copy of one table, to each target."""
    print(f"bench: {name}: making {rows:,} rows", file=sys.stderr)
    bench.source.sql(f"CREATE DATABASE {database}")
    load(bench.source, database, rows)
    bench.source.sql(f"ANALYZE TABLE {table}", database)
    for kind in bench.kinds:
        bench.settle()
        report.begin(name, f"{title} → {kind}")
        pgloader = kind == "PostgreSQL" and name == "copy" and shutil.which("pgloader")
        Copy(bench, kind, database, table, rows).run(report, repeat, pgloader)
        report.show()
    bench.source.sql(f"DROP DATABASE {database}")


def sysbench(bench, database, sizes, action, *options):
    """One sysbench command on the source."""
    run(["sysbench", "oltp_write_only", "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={bench.source.port}",
         "--mysql-user=root", f"--mysql-db={database}", "--tables=4", f"--table-size={sizes.sysbench_rows}", "--rand-seed=7",
         *options, action])


def backlogs(bench, sizes):
    """The backlogs by section."""
    source = bench.source

    def orders(database):
        data.load_orders(source, database, sizes.updates * sizes.update_rows)

    def oltp(name, keys, words, aim):
        return backlog.Backlog(
            name, f"backlog of {sizes.oltp:,} sysbench write-only transactions, 8 threads, 4 tables of {sizes.sysbench_rows:,} rows, {words}",
            ["sbtest1", "sbtest2", "sbtest3", "sbtest4"], lambda database: sysbench(bench, database, sizes, "prepare"),
            lambda database: sysbench(bench, database, sizes, "run", "--threads=8", f"--events={sizes.oltp}", "--time=0", f"--rand-type={keys}"),
            sizes.oltp * 4, sizes.oltp, aim)

    return {
        "oltp": oltp("oltp", "special", "keys as sysbench draws them by default: few hot rows", "≥ 5"),
        "uniform": oltp("uniform", "uniform", "keys drawn evenly: nearly every change is to another row", ""),
        "bulk": backlog.Backlog(
            "bulk", f"backlog of {sizes.bulk} transactions, {sizes.bulk * sizes.bulk_rows:,} inserted rows", ["bulk"],
            lambda database: source.sql(data.BULK, database),
            lambda database: data.write_bulk(source, database, sizes.bulk, sizes.bulk_rows), sizes.bulk * sizes.bulk_rows, sizes.bulk, "≥ 2"),
        "updates": backlog.Backlog(
            "updates", f"backlog of {sizes.updates} transactions of {sizes.update_rows:,} updated rows of 12 columns", ["orders"], orders,
            lambda database: data.write_updates(source, database, "orders", "total = total + 1, note = CONCAT('changed ', id), updated_at = '2026-01-01'",
                                                sizes.updates * sizes.update_rows, sizes.update_rows),
            sizes.updates * sizes.update_rows, sizes.updates),
        "wide": backlog.Backlog(
            "wide", f"backlog of {sizes.wide // 200} transactions of 200 updated rows of 101 columns and 7 KB", ["wide"],
            lambda database: data.load_wide(source, database, sizes.wide),
            lambda database: data.write_updates(source, database, "wide", "c5 = c5 + 1, c1 = CONCAT('changed ', id)", sizes.wide, 200),
            sizes.wide, sizes.wide // 200),
    }


def measure(bench, report, options):
    """Every section that is asked for."""
    sizes, only = Sizes(options), options.only
    if "copy" in only:
        copies(bench, report, "copy", f"{sizes.orders:,} rows × 12 columns", "bench_copy", "orders", sizes.orders, data.load_orders, sizes.repeat)
    if "wide" in only:
        copies(bench, report, "wide copy", f"{sizes.wide:,} rows × 101 columns, 7 KB a row", "bench_wide_copy", "wide", sizes.wide,
               data.load_wide, sizes.repeat)
    wanted = [section for name, section in backlogs(bench, sizes).items() if name in only]
    if wanted:
        replica = backlog.Replica(bench)
        bench.started_server(replica.mysql)
        report.facts["replica"] = replica.settings()
        print("bench: the replica: " + ", ".join(f"{name} {value}" for name, value in report.facts["replica"].items()))
        for section in wanted:
            print(f"bench: {section.name}: making and copying the tables, then writing the backlog", file=sys.stderr)
            section.run(bench, report, replica, bench.kinds)
            report.show()
        replica.mysql.stop()
    if "latency" in only or "idle" in only:
        for kind in bench.kinds:
            live(bench, report, kind, only, sizes.rate, sizes.latency_seconds, sizes.idle_seconds)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("--program", required=True)
    parser.add_argument("--only", default=",".join(SECTIONS), type=lambda text: text.split(","))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--patience", type=int, default=600)
    parser.add_argument("--json")
    options = parser.parse_args()
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"--only knows {', '.join(SECTIONS)}, not {', '.join(sorted(unknown))}")
    return options


def main():
    """Exit code 0 when everything was measured and every comparison was equal, 1 when not."""
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    bench, report, code = None, None, 0
    start = time.monotonic()
    try:
        bench = Bench(options)
        report = Report(bench.facts())
        for name, value in report.facts.items():
            words = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
            print(f"bench: {name}: {words}")
        if os.getloadavg()[0] > os.cpu_count() / 2:
            print("bench: the machine is busy with something else: these figures are worth little")
        if not bench.greenplum:
            print("bench: ROWFERRY_TEST_GREENPLUM is not set, so no Greenplum is measured")
        measure(bench, report, options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        code = 130
    finally:
        if bench:
            bench.end()
        if report and options.json:
            report.write(os.path.join(os.environ.get("BENCH_STARTED_IN", ""), options.json))
    if code == 0 and not report.equal():
        print("bench: a comparison came out different: the figures are worth nothing", file=sys.stderr)
        code = 1
    print(f"\nbench: {time.monotonic() - start:.0f} s in all", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
