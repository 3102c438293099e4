"""The copy of one table: rowferry beside `mysql --quick | psql COPY`, the target's COPY binary alone, and pgloader."""

import os
import statistics

from ferry import Ferry
from process import BenchError, Pipeline, run
from servers import Mysql

# What both sides of the pipe must agree on.
UTC = "SET time_zone = '+00:00'"
PIPE_ENV = "-c timezone=UTC"


class Copy:
    """One table of one database of the source, copied in several ways to one target."""

    def __init__(self, bench, target_kind, database, table, rows):
        self.bench, self.kind, self.database, self.table, self.rows = bench, target_kind, database, table, rows
        self.source = bench.source
        self.folder = bench.folder(f"copy-{table}-{target_kind}")
        columns = self.source.sql(
            "SET group_concat_max_len = 100000; SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION) "
            f"FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{database}' AND TABLE_NAME = '{table}'")
        self.columns = columns
        self.select = [*self.source.client, "--batch", "--skip-column-names", "--quick", "--default-character-set=utf8mb4",
                       f"--init-command={UTC}", "-e", f"SELECT {columns} FROM {table}", database]

    def measured(self, target, work):
        """Runs `work` and gives (its result, CPU seconds of source and target meanwhile)."""
        target.settle()
        source_before, target_before = self.source.cpu(), target.cpu and target.cpu()
        done = work()
        return done, (self.source.cpu() - source_before, target.cpu and target.cpu() - target_before)

    def reference_target(self):
        """A database with the table as rowferry would make it, empty."""
        target = self.bench.new_target(self.kind)
        ferry = Ferry(self.bench.program, f"{self.folder}/plan", self.source, target, self.database)
        target.sql(run([self.bench.program, "plan", "-c", ferry.config]))
        return target

    def source_alone(self):
        """`mysql --quick`, its output counted: (seconds, CPU of the client, CPU of the source, bytes)."""
        before = self.source.cpu()
        read, write = os.pipe()
        with os.fdopen(read) as counted:
            with os.fdopen(write, "w") as out:
                done = Pipeline([self.select, ["wc", "-c"]], stdout=out)
            size = int(counted.read())
        return done.seconds, done.cpu[0], self.source.cpu() - before, size

    def pipe(self, target):
        """`mysql --quick | psql COPY`: (seconds, CPU of the tools, (CPU of source, of target))."""
        into = f"COPY {self.database}.{self.table} ({self.columns}) FROM STDIN WITH (NULL 'NULL')"
        psql = ["env", f"PGOPTIONS={PIPE_ENV}", *target.client, "-v", "ON_ERROR_STOP=1", "-q", "-c", into]
        done, cpu = self.measured(target, lambda: Pipeline([self.select, psql]))
        return done.seconds, sum(done.cpu), cpu

    def binary(self, target, path):
        """The target's share alone: psql's \\copy of a binary file: (seconds, CPU of psql, (–, CPU of target))."""
        done, (_, cpu) = self.measured(target, lambda: target.copy_in(f"{self.database}.{self.table}", path, "WITH (FORMAT binary)"))
        return done.seconds, sum(done.cpu), (None, cpu)

    def rowferry(self, number):
        """From the start of the process until it follows the stream; compared afterwards when it is the last."""
        target = self.bench.new_target(self.kind)
        ferry = Ferry(self.bench.program, f"{self.folder}/{number}", self.source, target, self.database)

        def copy():
            clock = self.bench.clock()
            ferry.start()
            ferry.wait_synchronizing(self.bench.patience)
            return clock()

        try:
            seconds, cpu = self.measured(target, copy)
            return seconds, ferry.cpu(), cpu, ferry.peak(), target
        finally:
            ferry.stop()

    def empty(self, target):
        """Room for the next load."""
        target.sql(f"TRUNCATE {self.database}.{self.table}")

    def run(self, report, repeat, pgloader):
        """All of them, `repeat` times in turn; the medians are shown."""
        seconds, cpu, source_cpu, size = self.source_alone()
        report.add("mysql --quick >/dev/null", seconds, self.rows, size, (cpu, source_cpu, None))
        reference = self.reference_target()
        path = f"{self.folder}/{self.table}.binary"
        rounds = {"pipe": [], "binary": [], "rowferry": []}
        verdict = ""
        for number in range(repeat):
            self.empty(reference)
            rounds["pipe"].append(self.pipe(reference))
            if number == 0:
                run([*reference.client, "-v", "ON_ERROR_STOP=1", "-q",
                     "-c", f"\\copy {self.database}.{self.table} TO '{path}' WITH (FORMAT binary)"])
            self.empty(reference)
            rounds["binary"].append(self.binary(reference, path))
            *measured, target = self.rowferry(number)
            rounds["rowferry"].append(measured)
            if number == repeat - 1:
                verdict = self.bench.compare(self.database, target, [self.table])
            self.bench.drop(target)
        os.unlink(path)
        pipe, binary, ferry = (median(rounds[name]) for name in ("pipe", "binary", "rowferry"))
        report.add("mysql --quick | psql COPY", pipe[0], self.rows, size, (pipe[1], *pipe[2]))
        report.add("the target's COPY binary alone", binary[0], self.rows, size, (binary[1], *binary[2]))
        if pgloader:
            self.pgloader(report, size)
        aims = ("≤ 0.65", "≤ 1.2") if self.table == "orders" and self.kind == "PostgreSQL" else ("", "")
        report.add("rowferry", ferry[0], self.rows, size, (ferry[1], *ferry[2]), ferry[3],
                   [("× pipe", ferry[0] / pipe[0], aims[0]), ("× COPY binary", ferry[0] / binary[0], aims[1])], verdict)
        if repeat > 1:
            spread = ", ".join(f"{name} {' '.join(f'{one[0]:.2f}' for one in rounds[name])}" for name in rounds)
            report.note(f"medians of {repeat} rounds in turn; seconds of each: {spread}")
        self.bench.drop(reference)

    def pgloader(self, report, size):
        """pgloader cannot log in to MySQL 9.7, so it reads the same rows, JSON as text, from a MySQL 5.6."""
        bench = self.bench
        old = Mysql("mysql56", bench.folder("mysql56"), ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=48M", "--skip-log-bin"])
        target = bench.new_target(self.kind)
        try:
            path = f"{self.folder}/{self.table}.text"
            with open(path, "wb") as file:
                Pipeline([self.select], stdout=file)
            create = self.source.sql(f"SHOW CREATE TABLE {self.table}", self.database).split("\t", 1)[1].replace("\\n", "\n")
            columns = create[:create.rindex(")")].replace(" json ", " mediumtext CHARACTER SET utf8mb4 ")
            columns = columns.replace("COLLATE utf8mb4_0900_ai_ci", "")
            old.sql(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4")
            old.sql(f"{columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", self.database)
            nulls = [name for name in self.columns.split(",")]
            into = ", ".join(f"@{name}" for name in nulls)
            values = ", ".join(f"{name} = NULLIF(@{name}, 'NULL')" for name in nulls)
            old.sql(f"{UTC}; LOAD DATA INFILE '{path}' INTO TABLE {self.table} CHARACTER SET utf8mb4 ({into}) SET {values}", self.database)
            os.unlink(path)
            before = old.cpu()
            command = ["pgloader", "--quiet", f"mysql://root@127.0.0.1:{old.port}/{self.database}", target.url]
            done, (_, cpu) = self.measured(target, lambda: Pipeline([command]))
            loaded = int(target.sql(f"SELECT count(*) FROM {self.database}.{self.table}"))
            verdict = "" if loaded == self.rows else f"it loaded {loaded} rows"
            report.add("pgloader, from MySQL 5.6", done.seconds, self.rows, size, (sum(done.cpu), old.cpu() - before, cpu), verdict=verdict)
        except BenchError as error:
            report.note(f"pgloader did not get through: {' '.join(str(error).split())[:300]}")
        finally:
            old.stop()
            bench.drop(target)


def median(rounds):
    """The round whose time is the median (the faster of the middle two)."""
    middle = statistics.median_low(one[0] for one in rounds)
    return next(one for one in rounds if one[0] == middle)
