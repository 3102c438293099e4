"""The running stream: from a commit in MySQL until the target shows it, and what nothing to do costs."""

import os
import subprocess
import threading
import time

from data import PACED
from ferry import Ferry
from process import BenchError, die_with_parent

WRITERS = 4


class Watcher:
    """Asks the target again and again for the newest row of each writer, and notes when it first saw each."""

    def __init__(self, target, table, counts):
        self.counts, self.table, self.seen = counts, table, {}
        self.psql = subprocess.Popen(
            [*target.client, "-v", "ON_ERROR_STOP=1", "-qAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1, preexec_fn=die_with_parent)
        newest = ", ".join(f"coalesce((SELECT max(n) FROM {table} WHERE writer = {writer}), 0)" for writer in range(WRITERS))
        self.question = f"SELECT {newest};\n"
        self.looks = 0

    def watch(self, seconds):
        """Until every row was seen, or the time is over."""
        newest, end = [0] * WRITERS, time.monotonic() + seconds
        while newest != self.counts and time.monotonic() < end:
            self.psql.stdin.write(self.question)
            self.psql.stdin.flush()
            answer = self.psql.stdout.readline().strip()
            now = time.time()
            if not answer:
                raise BenchError("the session that watches the target has ended")
            self.looks += 1
            for writer, value in enumerate(int(word) for word in answer.split("|")):
                for n in range(newest[writer] + 1, value + 1):
                    self.seen[writer, n] = now
                newest[writer] = value
            time.sleep(0.0005)

    def stop(self):
        """Ends its session."""
        self.psql.stdin.close()
        self.psql.wait(30)


def percentile(values, part):
    """The smallest value that so many hundredths are not above."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]


def live(bench, report, kind, wanted, rate, seconds, idle_seconds):
    """Latency at a rate, then idling, on one running daemon; `wanted` names which of the two are asked for."""
    source, database = bench.source, "bench_live"
    source.sql(f"DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}")
    source.sql("SET cte_max_recursion_depth = 100000;\n" + PACED, database)
    target = bench.new_target(kind)
    ferry = Ferry(bench.program, bench.folder(f"live-{kind}"), source, target, database)
    try:
        ferry.start()
        ferry.wait_synchronizing(bench.patience)
        if "latency" in wanted:
            latency(bench, report, target, ferry, rate, seconds)
        if "idle" in wanted:
            idle(bench, report, target, ferry, idle_seconds)
    finally:
        ferry.stop()
        bench.drop(target)
    source.sql(f"DROP DATABASE {database}")


def latency(bench, report, target, ferry, rate, seconds):
    """Paced writers in MySQL itself; the clock of both sides is this machine's."""
    source, database = bench.source, "bench_live"
    each, gap = rate * seconds // WRITERS, WRITERS / rate
    watcher = Watcher(target, f"{database}.probe", [each] * WRITERS)
    target.settle()
    before = (ferry.cpu(), source.cpu(), target.cpu and target.cpu())
    writers = [subprocess.Popen(
        [*source.client, "--batch", "--skip-column-names", "--unbuffered", database, "-e", f"CALL paced({writer}, {each}, {gap})"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
    ) for writer in range(WRITERS)]
    said = [None] * WRITERS

    def listen(writer):
        said[writer] = writers[writer].communicate()

    listeners = [threading.Thread(target=listen, args=(writer,)) for writer in range(WRITERS)]
    clock = bench.clock()
    for listener in listeners:
        listener.start()
    watcher.watch(seconds * 2 + 60)
    took = clock()
    for listener in listeners:
        listener.join()
    cpu = (ferry.cpu() - before[0], source.cpu() - before[1], target.cpu and target.cpu() - before[2])
    watcher.stop()
    visible, commits, stamps = [], [], []
    for writer, (lines, errors) in enumerate(said):
        if writers[writer].returncode != 0:
            raise BenchError(f"a writer failed: {errors}")
        for line in lines.splitlines():
            _, n, sent, done = line.split("\t")
            stamps.append(float(sent))
            commits.append(float(done) - float(sent))
            if (writer, int(n)) in watcher.seen:
                visible.append(watcher.seen[writer, int(n)] - float(sent))
    peak = ferry.peak()
    ferry.wait_applied(source.sql("SELECT @@GLOBAL.gtid_executed"), bench.patience)
    verdict = bench.compare(database, target, ["probe", "account"])
    if len(visible) != each * WRITERS:
        verdict = f"DIFFERENT: {each * WRITERS - len(visible)} rows were never seen"
    report.begin("latency", f"{rate} transactions/s of one insert and one update for {seconds} s → {target.name}, seen by a session that looks all the time")
    aims = {50: "≤ 20", 99: "≤ 100"} if target.name == "PostgreSQL" else {}
    ratios = [(f"ms p{part}", percentile(visible, part) * 1000, aims.get(part, "")) for part in (50, 99)]
    report.add("rowferry", None, len(visible), None, cpu, peak, [*ratios, ("ms at most", max(visible) * 1000, "")], verdict)
    report.note("from the moment before COMMIT is sent in MySQL until a SELECT in the target has shown the row: MySQL's own commit is in it "
                f"(p50 {percentile(commits, 50) * 1000:.2f} ms, p99 {percentile(commits, 99) * 1000:.2f} ms), and so is the look "
                f"(one every {took / max(watcher.looks, 1) * 1000:.1f} ms)")
    report.note(f"rate reached: {len(stamps) / (max(stamps) - min(stamps)):.0f} transactions/s")
    report.show()


def idle(bench, report, target, ferry, seconds):
    """Nothing happens in the source; the daemon goes on listening."""
    bench.settle()
    time.sleep(2)
    before, clock = (ferry.cpu(), bench.source.cpu(), target.cpu and target.cpu()), bench.clock()
    time.sleep(seconds)
    took = clock()
    cpu = (ferry.cpu() - before[0], bench.source.cpu() - before[1], target.cpu and target.cpu() - before[2])
    report.begin("idle", f"{seconds} s with nothing to do, one task → {target.name}")
    report.add("rowferry", took, None, None, cpu, ferry.peak(), [("% of a core", cpu[0] / took * 100, "< 1")])
    report.note(f"CPU time is counted in ticks of {1000 // os.sysconf('SC_CLK_TCK')} ms")
    report.show()
