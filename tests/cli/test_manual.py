"""The manual page and the completions are made from the help, and know every command."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from longshore import __version__
from longshore.cli.app import COMMANDS, run


def test_every_command_and_option_is_in_the_manual(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manual"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f'.TH LONGSHORE 1 "" "longshore {__version__}"\n.SH NAME\n')
    plain = page.replace(r"\-", "-")
    for name, command in COMMANDS.items():
        assert f".SS longshore {name}\n" in plain
        assert all(f"  {example}\n" in plain for example in command.examples)
    assert "--leave-running" in plain
    assert "SIGTERM drains and stops HAProxy" in plain, "the whole docstring, not the summary"


def test_no_text_is_read_as_a_macro(capsys: pytest.CaptureFixture[str]) -> None:
    run(["manual"])
    for line in capsys.readouterr().out.splitlines():
        assert not line.startswith((".", "'")) or re.match(r"\.(TH|SH|SS|PP|TP|RS|RE|B|I|BR|nf|fi)\b", line), line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_knows_every_command(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for name in COMMANDS for word in name.split())


def test_bash_completes_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(["completion", "bash"])
    bash = shutil.which("bash")
    assert bash
    ask = 'COMP_WORDS=(longshore soc); COMP_CWORD=1; COMP_LINE="longshore soc"; _longshore; echo "${COMPREPLY[@]}"'
    done = subprocess.run([bash, "-c", f"{capsys.readouterr().out}\n{ask}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["socket-proxy"]


def test_another_shell_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err
