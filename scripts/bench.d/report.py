"""The figures: one table to read, one JSON to keep."""

import json

COLUMNS = ("what", "time s", "rows/s", "MB/s", "CPU s: tool", "source", "target", "peak MB", "ratio, aim, verdict")


class Report:
    """Collects rows section by section and prints each section as soon as it is there."""

    def __init__(self, facts):
        self.facts, self.sections = facts, []

    def begin(self, name, title, notes=()):
        """A new section; its rows follow."""
        self.sections.append({"name": name, "title": title, "notes": list(notes), "rows": []})

    def note(self, text):
        """A line below the section's table."""
        self.sections[-1]["notes"].append(text)

    def add(self, what, seconds=None, rows=None, size=None, cpu=None, peak=None, ratios=(), verdict="", figures=None):
        """One measurement. `size` is in bytes, `cpu` = seconds of (tool, source, target), `ratios` = (name, value, aim)."""
        self.sections[-1]["rows"].append({
            "what": what, "seconds": seconds, "rows": rows, "bytes": size,
            "cpu_seconds": dict(zip(("tool", "source", "target"), cpu)) if cpu else None, "peak_bytes": peak,
            "ratios": [{"to": name, "value": value, "aim": aim} for name, value, aim in ratios],
            "verdict": verdict, "figures": figures or {},
        })

    def show(self):
        """Prints the last section."""
        section = self.sections[-1]
        lines = [COLUMNS, *(cells(row) for row in section["rows"])]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
        print(f"\n{section['name']}: {section['title']}")
        for line in lines:
            first, *middle, last = (text.ljust(width) if column in (0, len(COLUMNS) - 1) else text.rjust(width)
                                    for column, (text, width) in enumerate(zip(line, widths)))
            print("  " + "  ".join([first, *middle, last]).rstrip())
        for note in section["notes"]:
            print(f"  {note}")

    def write(self, path):
        """Everything as JSON."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"facts": self.facts, "sections": self.sections}, file, indent=2)
            file.write("\n")

    def equal(self):
        """Whether every comparison came out equal."""
        return not any(row["verdict"].startswith("DIFFERENT") for section in self.sections for row in section["rows"])


def number(value, digits=1):
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def cells(row):
    """The texts of one line of the table."""
    seconds, rows, size, cpu = row["seconds"], row["rows"], row["bytes"], row["cpu_seconds"] or {}
    words = [f"{ratio['value']:.2f} {ratio['to']}" + (f" (aim {ratio['aim']})" if ratio["aim"] else "") for ratio in row["ratios"]]
    words += [f"{name} {value}" for name, value in row["figures"].items()]
    words += [row["verdict"]] if row["verdict"] else []
    return (
        row["what"], number(seconds, 2),
        number(rows / seconds if rows and seconds else None, 0),
        number(size / seconds / 1e6 if size and seconds else None),
        *(number(cpu.get(who), 2) for who in ("tool", "source", "target")),
        number(row["peak_bytes"] / 1e6 if row["peak_bytes"] else None, 0),
        ", ".join(words),
    )
