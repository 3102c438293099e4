"""rowferry under measurement: its config, its life, its status."""

import json
import os
import re
import urllib.error
import urllib.request

from process import BenchError, Child, free_port, peak_memory, tree_cpu, wait_until

INTERVAL = re.compile(r"([0-9a-f-]{36})((?::[0-9a-z_-]+)+)", re.IGNORECASE)


def gtid_intervals(text):
    """A GTID set as {(uuid, tag): [(first, last), …]}; what is no GTID in the text is passed over."""
    found = {}
    for uuid, parts in INTERVAL.findall(text or ""):
        tag = ""
        for part in parts[1:].split(":"):
            numbers = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
            if not numbers:
                tag = part.lower()
                continue
            first = int(numbers[1])
            found.setdefault((uuid.lower(), tag), []).append((first, int(numbers[2] or first)))
    return found


def covers(outer, inner):
    """Whether every interval of `inner` lies inside one of `outer`."""
    return all(
        any(low <= first and last <= high for low, high in outer.get(key, []))
        for key, intervals in inner.items()
        for first, last in intervals
    )


class Ferry:
    """A task from one database of the source to one target, whose daemon can be started several times."""

    def __init__(self, program, folder, source, target, database):
        os.makedirs(folder, exist_ok=True)
        self.program, self.folder, self.port = program, folder, free_port()
        self.child = None
        self.config = f"{folder}/rowferry.toml"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(
                f'[daemon]\nlisten = "127.0.0.1:{self.port}"\n\n'
                f'[source.bench]\nurl = "mysql://root@127.0.0.1:{source.port}"\n\n'
                f'[target.bench]\nurl = "{target.url}"\n\n'
                f'[task.bench]\nsource = "bench"\ntarget = "bench"\ntables = ["{database}.*"]\n'
            )

    def start(self):
        """Starts the daemon, as the unit and the image do; returns at once."""
        command = [self.program, "run", "-c", self.config]
        self.child = Child("rowferry", command, f"{self.folder}/rowferry.log", {"MIMALLOC_PURGE_DELAY": "0"})

    def task(self):
        """The task's status, or None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/status", timeout=5) as answer:
                return json.load(answer)["tasks"]["bench"]
        except (OSError, urllib.error.URLError, KeyError):
            return None

    def looked_at(self):
        """As `task`, but a BenchError when the daemon has ended or the task has failed."""
        self.child.assert_alive()
        task = self.task()
        if task and task["phase"] == "failed":
            raise BenchError(f"the task has failed: {task.get('error')}")
        return task

    def wait_synchronizing(self, seconds):
        """Waits until the task follows the stream."""

        def there():
            task = self.looked_at()
            return task and task["phase"] == "synchronizing"

        wait_until("rowferry is Synchronizing", there, seconds, 0.02)

    def wait_applied(self, executed, seconds):
        """Waits until the durable position covers a GTID set of the source."""
        wanted = gtid_intervals(executed)
        if not wanted:
            raise BenchError(f"the source's gtid_executed cannot be read: {executed!r}")

        def there():
            task = self.looked_at()
            return task and covers(gtid_intervals(task.get("position")), wanted)

        wait_until("rowferry has applied what the source has executed", there, seconds, 0.02)

    def drift(self):
        """Rows that were not in the target as the stream implied; 0 unless something is wrong."""
        task = self.looked_at()
        return sum(table["drift"] for table in task["tables"].values())

    def cpu(self):
        """CPU seconds of this life so far."""
        return tree_cpu(self.child.pid)

    def peak(self):
        """The most resident memory of this life so far, in bytes."""
        return peak_memory(self.child.pid)

    def stop(self):
        """SIGTERM, and its end."""
        if self.child:
            self.child.stop()
            self.child = None
