"""Configurations for tests: write, load, and see what a person would see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from longshore.config import Loaded, load


class Written:
    """A folder with a `longshore.yaml` that can be written and loaded."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "longshore.yaml"

    def load(self, text: str | None = None, environ: Mapping[str, str] | None = None, *, root: bool = True) -> Loaded:
        """Load this text, or without a file if there is none."""
        if text is None:
            return load(None, environ or {}, root=root, default_path=self.path)
        self.path.write_text(dedent(text), encoding="utf-8")
        return load(self.path, environ or {}, root=root)

    def problems(self, text: str | None = None, environ: Mapping[str, str] | None = None) -> list[str]:
        """What is wrong with this text, without the folder."""
        loaded = self.load(text, environ)
        assert loaded.valid is None or not loaded.problems
        return [str(problem).replace(f"{self.path.parent}/", "") for problem in loaded.problems]
