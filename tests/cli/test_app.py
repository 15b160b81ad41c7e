"""The command line as a whole: every command has help with examples, errors are words, and starting is quick."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from longshore import __version__
from longshore.cli.app import COMMANDS
from tests.cli.conftest import Command

HEAVY = ("aiohttp", "pydantic", "ruamel", "structlog", "prometheus_client")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_examples(command: Command, name: str) -> None:
    ended = command(*name.split(), "--help")
    assert ended.code == 0
    assert f"Usage: longshore {name}" in ended.out
    assert f"  longshore {name}" in ended.out.split("Examples:")[1]


def test_help_is_wrapped_by_the_terminal_alone(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A break of the docstring in the middle of a line would leave ragged ones."""
    monkeypatch.setenv("COLUMNS", "80")
    told = command("status", "--help").out.split("╭")[0]
    lines = [line.rstrip() for line in told.splitlines()[2:]]
    for line, following in pairwise(lines):
        if line and following:
            assert len(line) + 1 + len(following.split()[0]) > 79, f"{line!r} has room for more"


def test_help_lists_every_command_and_the_exit_codes(command: Command) -> None:
    for arguments in ((), ("--help",)):
        ended = command(*arguments)
        assert ended.code == 0
        assert all(name.split()[0] in ended.out for name in COMMANDS)
        assert "3 cannot reach the agent" in ended.out


@pytest.mark.parametrize("arguments", [["nope"], ["status", "--nope"], ["statsu"], ["explain"], ["--json"]])
def test_wrong_usage_is_2_on_stderr(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


def test_version(command: Command) -> None:
    assert command("version").out.startswith(f"longshore {__version__} (Python ")
    assert json.loads(command("version", "--json").out)["longshore"] == __version__
    assert command("--version").out == f"{__version__}\n"


def test_schema_is_json(command: Command) -> None:
    assert json.loads(command("schema").out)["title"] == "longshore.yaml"


def test_commands_that_need_little_load_little() -> None:
    """`longshore version` and `longshore wait` start without the libraries that only the agent needs."""
    program = (
        "import sys; from longshore.cli.app import run; run(['version']); "
        "import longshore.cli.wait, longshore.cli.operate, longshore.cli.events; "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["version"], 0),
        (["nope"], 2),
        (["status"], 3),
        (["check", "--config", "missing.yaml"], 1),
        (["render", "--haproxy", "1.8"], 2),
        (["render", "--config", "missing.yaml"], 1),
    ],
)
def test_the_program_ends_with_the_code_that_says_why(state: Path, arguments: list[str], code: int) -> None:
    program = Path(sys.executable).with_name("longshore")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert "Traceback" not in done.stderr + done.stdout


def test_a_reader_that_goes_away_early_is_no_error(state: Path) -> None:
    program = Path(sys.executable).with_name("longshore")
    with subprocess.Popen([program, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout
        assert started.stderr
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait(60) == 0
