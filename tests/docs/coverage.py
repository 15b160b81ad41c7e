"""The page docs/migrate/coverage.md: what the forerunners could do, what becomes of it, and the tests that prove it.

The rows stand in forerunners.toml beside this file. A test says by its id which row it is about: "A2 docker:
image_name" belongs to the row "docker" of the forerunner with the prefix A2; the longest row that fits counts. Or it
says so in a comment above it: "# A2 docker: image_name".

    python -m tests.docs.coverage    writes the page
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tests.compat.old_lines import TRANSLATED
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "migrate" / "coverage.md"
ROWS = Path(__file__).parent / "forerunners.toml"
_ID = re.compile(r"(?P<file>[^:]+\.py)::(?P<test>[^\[]+)\[(?P<id>.*)\]")
HEAD = """# What the forerunners could do, row by row

Each row is something that a forerunner could do, and names the tests that show what becomes of it. The page is made
from the tests; a row without one does not pass `script/test`. What `longshore check` and `longshore import` say about
your own files is more exact than any page.
"""


@dataclass(slots=True)
class Row:
    """One row of the page."""

    key: str
    what: str
    here: str
    tests: dict[str, int] = field(default_factory=dict)  # "tests/compat/test_synapse.py: test_…" and how many cases


@dataclass(slots=True)
class Forerunner:
    """One section of the page."""

    name: str
    prefix: str
    page: str
    rows: list[Row]
    whole: bool = True  # every test with this prefix has a row

    def row_of(self, said: str) -> Row | None:
        """The row that an id without its prefix belongs to."""
        said = re.sub(r"^(discovery|top|service:|haproxy:|haproxy service:) ", "", said)
        fitting = [row for row in self.rows if said.startswith(row.key)]
        return max(fitting, key=lambda row: len(row.key), default=None)


def forerunners() -> list[Forerunner]:
    """Read the rows."""
    found = tomllib.loads(ROWS.read_text(encoding="utf-8"))["forerunner"]
    sections = [Forerunner(f["name"], f["prefix"], f["page"], [Row(*row) for row in f["rows"]]) for f in found]
    return [*sections, Forerunner("Lines that HAProxy has dropped", "§11", "synapse.md", old_lines(), whole=False)]


def old_lines() -> list[Row]:
    """A row for each word that HAProxy has dropped, with the first of its translations."""
    rows = {old.row: Row(old.row, f"`{old.line}`", "left out") for old in reversed(TRANSLATED)}
    for old in reversed(TRANSLATED):
        if old.new:
            rows[old.row] = Row(old.row, f"`{old.line}`", "<br>".join(f"`{line}`" for line in old.new))
    return [Row(row.key, row.what.replace("|", "\\|"), row.here.replace("|", "\\|")) for row in rows.values()][::-1]


def collected() -> list[tuple[str, str, str]]:
    """Ask pytest for the file, test and id of every case that has an id."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "system or not system", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = (_ID.fullmatch(line) for line in done.stdout.splitlines())
    return [(m["file"], m["test"], m["id"].replace("\\xa7", "§")) for m in lines if m]


def commented() -> list[tuple[str, str, str]]:
    """Find the comments above tests: file, test and what the comment says."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        said: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if mark := re.fullmatch(r"# ((?:A[2-5]|§11) .+)", line):
                said.append(mark[1])
            elif test := re.match(r"(?:async )?def (test_\w+)", line):
                found += [(str(path.relative_to(ROOT)), test[1], each) for each in said]
                said = []
    return found


def assign(sections: list[Forerunner], cases: list[tuple[str, str, str]]) -> list[str]:
    """Give each row its tests; returns the ids that belong to no row."""
    strays = []
    for file, test, said in cases:
        for section in sections:
            mark = re.search(rf"(?:^|-){section.prefix} (.*)", said)
            if mark is None:
                continue
            row = section.row_of(mark[1])
            if row is None and section.whole:
                strays.append(f"{file}::{test}[{said}]")
            elif row is not None:
                name = f"{file.removeprefix('tests/')}: {test.removeprefix('test_').replace('_', ' ')}"
                row.tests[name] = row.tests.get(name, 0) + 1
    return strays


def page(sections: list[Forerunner]) -> str:
    """Write the page."""
    lines = [HEAD]
    for section in sections:
        lines += [f"## {section.name}", "", f"How to move: [{section.page}]({section.page})", ""]
        lines += ["| there | what it is | here | tests |", "|---|---|---|---|"]
        for row in section.rows:
            tests = "<br>".join(f"{name} ({n})" if n > 1 else name for name, n in sorted(row.tests.items()))
            lines.append(f"| {row.key} | {row.what} | {row.here} | {tests} |")
        lines.append("")
    return "\n".join(lines)


def made() -> tuple[str, list[str]]:
    """The page as it should be, and what is wrong with rows and tests."""
    sections = forerunners()
    wrong = [
        f"belongs to no row of forerunners.toml: {stray}" for stray in assign(sections, [*collected(), *commented()])
    ]
    wrong += [f"{s.name}: no test has the row {r.key!r}" for s in sections for r in s.rows if not r.tests]
    return page(sections), wrong


if __name__ == "__main__":
    text, wrong = made()
    PAGE.write_text(text, encoding="utf-8")
    print("\n".join(wrong) or f"{PAGE.relative_to(ROOT)} is written")  # noqa: T201 - a command for people
    sys.exit(bool(wrong))
