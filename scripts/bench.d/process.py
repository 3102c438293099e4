"""Processes that the benchmark starts or watches: their CPU time, their peak memory, their end.

Everything started here dies with the benchmark (the kernel's parent-death signal) and is ended by its id.
"""

import ctypes
import os
import random
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """What ends the benchmark, in one paragraph."""


def die_with_parent():
    """For `preexec_fn`: the kernel kills this child when the benchmark is gone."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    """A TCP port on loopback that nobody listens on, below the range taken for outgoing connections."""
    while True:
        port = random.randint(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(what, condition, seconds, step=0.05):
    """Waits for a true value of `condition` and returns it; a BenchError naming `what` when it does not come in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"not within {seconds} s: {what}")
        time.sleep(step)


def stat(pid):
    """(parent, CPU seconds of the process and of its children that have ended), or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / TICKS


def tree_cpu(pid):
    """CPU seconds of a process and everything below it, living or ended. PostgreSQL is many processes."""
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            found = stat(int(entry))
            if found:
                stats[int(entry)] = found
    total, todo = 0.0, [pid]
    while todo:
        parent = todo.pop()
        if parent in stats:
            total += stats[parent][1]
        todo.extend(child for child, (its_parent, _) in stats.items() if its_parent == parent)
    return total


def peak_memory(pid):
    """The most resident memory a process has had so far, in bytes; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(command, **options):
    """Runs a command to its end and returns its standard output; a BenchError with what it said when it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=die_with_parent, check=False, **options
    )
    if done.returncode != 0:
        said = (done.stderr + done.stdout)[-2000:].strip()
        raise BenchError(f"exit code {done.returncode} of {command[:8]}: {said}")
    return done.stdout


class Pipeline:
    """Commands joined by pipes and run to their end, with the time and the CPU seconds of each."""

    def __init__(self, commands, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        started, before = [], stdin
        start = time.monotonic()
        for number, command in enumerate(commands):
            last = number == len(commands) - 1
            child = subprocess.Popen(
                command, stdin=before, stdout=stdout if last else subprocess.PIPE,
                stderr=subprocess.PIPE, preexec_fn=die_with_parent,
            )
            if number > 0:
                before.close()
            before = child.stdout
            started.append(child)
        self.cpu = []
        for command, child in zip(commands, started):
            said = child.stderr.read().decode(errors="replace")
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            self.cpu.append(usage.ru_utime + usage.ru_stime)
            if child.returncode != 0:
                raise BenchError(f"exit code {child.returncode} of {command[:8]}: {said[-2000:].strip()}")
        self.seconds = time.monotonic() - start


class Child:
    """A long-running program with its log file."""

    def __init__(self, name, command, log, environment=None):
        self.name, self.log = name, log
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=die_with_parent,
                env={**os.environ, **(environment or {})},
            )
        self.pid = self.process.pid

    def assert_alive(self):
        """A BenchError with the end of its log when it has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended with exit code {self.process.returncode}:\n{self.tail()}")

    def tail(self):
        """The last lines of its log."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])

    def send(self, number):
        """Sends a signal to just this process, unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=60):
        """Ends it, by SIGKILL when it does not listen, and waits until it is gone."""
        self.send(number)
        self.send(signal.SIGCONT)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
