"""Other Pythons than the one of this machine, as Debian ships them; others are looked for on the PATH.

python -m tests.lab.pythons 3.14     prints the paths of the program and of a pip for it
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.lab import packages

SUITES = {"3.13": "trixie", "3.14": "sid"}


def python(version: str) -> Path:
    """Return the program of this version ("3.14"), fetched and unpacked on first use."""
    name = f"python{version}"
    if version in SUITES:
        program, parts = f"usr/bin/{name}", [name, f"{name}-minimal", "python3-pip-whl"]
        return packages.tree(f"python-{version}", SUITES[version], parts, patch=[program]) / program
    found = shutil.which(name)
    if found is None:
        raise packages.PackagesError(f"there is no {name} on the PATH; Debian has {', '.join(SUITES)}")
    return Path(found)


def pip(version: str) -> Path:
    """Return a pip that this version can run; the machine's own may be too old for it."""
    program = python(version)
    found = sorted((program.parents[1] / "share" / "python-wheels").glob("pip-*.whl"))
    if not found:
        raise packages.PackagesError(f"there is no pip beside {program}: package python3-pip-whl")
    return found[-1]


if __name__ == "__main__":
    try:
        print(python(sys.argv[1]), pip(sys.argv[1]))  # noqa: T201 - a command for people
    except packages.PackagesError as error:
        sys.exit(f"{error}")
