"""The Markdown pages of the project, taken apart: code blocks, inline code, links, headings."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "changelog.d", "examples")
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ENDS = re.compile(r"[|;<>&]+")


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path from the root of the project."""
        return str(self.path.relative_to(ROOT))

    def blocks(self, *languages: str) -> list[str]:
        """Return the contents of its code blocks in these languages, "" for those without one."""
        return [textwrap.dedent(match[3]) for match in _BLOCK.finditer(self.text) if match[2] in languages]

    def prose(self) -> str:
        """Return all that stands outside of code blocks."""
        return _BLOCK.sub("", self.text)

    def inline(self) -> list[str]:
        """Return its inline code."""
        return _INLINE.findall(self.prose())

    def links(self) -> list[str]:
        """Return the targets of its links."""
        return _LINK.findall(_INLINE.sub("`", self.prose()))

    def anchors(self) -> set[str]:
        """Return what links to its headings are called, as GitHub makes them."""
        bare = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(self.prose()))
        return {heading.strip().replace(" ", "-") for heading in bare}


def pages() -> dict[str, Page]:
    """Return every page by its name."""
    paths = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
    found = [Page(path, path.read_text(encoding="utf-8")) for path in paths]
    return {page.name: page for page in found}


def longshore_commands(line: str) -> Iterator[list[str]]:
    """Yield the words after `longshore` of every longshore command in a line of shell, empty if there are none."""
    words = shlex.split(line, comments=True)
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        container = words[0] == "docker" and before != "longshore"  # of that name; in it, `longshore` runs
        container = container or words[0] == "systemctl"  # a unit of that name
        if word.rpartition("/")[2] == "longshore" and not before.startswith("-") and not container:
            rest = words[place + 1 :]
            end = next((i for i, each in enumerate(rest) if _ENDS.fullmatch(each)), len(rest))
            yield rest[:end]
