"""Capabilities are asked of the binary, and a binary that will not do is refused with what to do."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from longshore.core.capabilities import TYPICAL
from longshore.haproxy.capabilities import find_binary, probe, probe_running
from longshore.haproxy.faults import BinaryError
from longshore.haproxy.managed import Managed
from tests.haproxy.plain import plain
from tests.lab.haproxy import every_version, haproxy, version

pytestmark = pytest.mark.system


@every_version
async def test_every_version_can_do_what_the_table_of_typical_ones_says(series: str) -> None:
    binary = haproxy(series)
    found = await probe(str(binary))
    major, minor = map(int, series.split("."))
    assert found.version.startswith(version(binary))
    assert found == replace(TYPICAL[major, minor], version=found.version)


@every_version
async def test_a_running_haproxy_is_asked_even_after_its_file_was_replaced(series: str, tmp_path: Path) -> None:
    """An upgrade of the package must not make us speak 3.4 to a running 2.6."""
    binary = tmp_path / "haproxy"
    shutil.copy(haproxy(series), binary)
    async with plain(series) as here:
        process = Managed(here.paths, binary=str(binary))
        here.made.append(process)
        await process.start(here.config())
        binary.unlink()
        assert await probe_running(process.runtime()) == await probe(str(haproxy(series)))


def _program(tmp_path: Path, text: str) -> str:
    path = tmp_path / "haproxy"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_haproxy_that_is_too_old_says_which_is_needed(tmp_path: Path) -> None:
    old = _program(tmp_path, "echo 'HAProxy version 2.4.22-0ubuntu0.22.04.3 2023/12/04 - https://haproxy.org/'")
    with pytest.raises(BinaryError, match=r"2\.4\.22.* is too old: 2\.6 or later.*Debian 12"):
        await probe(old)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo hello", "is no HAProxy"),
        ("echo broken >&2; exit 127", "exit code 127: broken"),
        ("case $1 in -vv) echo 'HAProxy version 3.0.1 x';; *) echo no luck; exit 1;; esac", "trial run .* no luck"),
    ],
)
async def test_what_is_no_working_haproxy_is_refused_with_what_it_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BinaryError, match=said):
        await probe(_program(tmp_path, text))


async def test_a_missing_haproxy_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match="apt install haproxy"):
        find_binary("no-such-haproxy")
    with pytest.raises(BinaryError, match="no HAProxy at"):
        await probe(str(tmp_path / "none"))


def test_a_file_that_may_not_be_executed_says_so(tmp_path: Path) -> None:
    file = tmp_path / "haproxy"
    file.write_text("")
    with pytest.raises(BinaryError, match="may not be executed"):
        find_binary(str(file))


def test_the_binary_is_found_where_daemons_live_even_if_that_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Debian /usr/sbin is not on an ordinary user's PATH."""
    program = _program(tmp_path, "true")
    monkeypatch.setattr("longshore.haproxy.capabilities._USUAL", (str(tmp_path),))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_binary() == program
