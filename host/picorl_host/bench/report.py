"""How the benchmarks print figures, judge them by bars, and keep them as JSON."""

import json
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table


class Report:
    """Results of one benchmark: `data` goes into a JSON file, `missed` names the bars that were missed."""

    def __init__(self):
        self.data = {}
        self.missed = []

    def at_most(self, what, value, bar, show="{:,}".format):
        """The value as a table shows it, with its bar; a missed one is remembered."""
        if bar is None:
            return show(value)
        if value <= bar:
            return f"{show(value)} [green](≤ {show(bar)})[/]"
        self.missed.append(f"{what}: {show(value)}, must be at most {show(bar)}")
        return f"{show(value)} [red](≤ {show(bar)})[/]"

    def at_least(self, what, value, bar, show="{:,}".format):
        """The same for a value that must be large."""
        if bar is None:
            return show(value)
        if value >= bar:
            return f"{show(value)} [green](≥ {show(bar)})[/]"
        self.missed.append(f"{what}: {show(value)}, must be at least {show(bar)}")
        return f"{show(value)} [red](≥ {show(bar)})[/]"

    def finish(self, console, out: Path):
        """Write the file; say where it is and what was missed."""
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({**self.data, "missed": self.missed}, indent=2) + "\n")
        for one in self.missed:
            console.print(f"missed: {one}", style="red", highlight=False)
        console.print(f"all of it: {out}", highlight=False)


def wide_console():
    """For wide tables: a terminal that is narrower wraps them, a file does not."""
    return Console(width=None if os.isatty(1) else 200)


def table(title, first, *others):
    """A table whose first column holds names and whose others hold figures."""
    made = Table(title=title, title_justify="left", title_style="bold")
    made.add_column(first, no_wrap=True)
    for name in others:
        made.add_column(name, justify="right")
    return made


def thousands(count):
    return f"{count / 1000:,.0f}" if count >= 100_000 else f"{count / 1000:,.1f}"


def times(theirs, ours):
    return f"{theirs / ours:.2f} x"
