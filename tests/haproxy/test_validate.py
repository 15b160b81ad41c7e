"""What HAProxy says of a configuration becomes faults with line, words and source."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.haproxy.faults import BinaryError, ConfigFault
from longshore.haproxy.validate import check, parse
from tests.lab.haproxy import every_version, haproxy

pytestmark = pytest.mark.system

GOOD = "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\nbackend b\n"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            "[ALERT]    (13248) : config : parsing [/x/c.cfg:2] : unknown keyword 'two' in 'backend' section",
            ConfigFault(2, "unknown keyword 'two' in 'backend' section", "two"),
        ),
        (
            "[ALERT]    (1) : config : config : [/x/c.cfg:1] proxy 'b': no such thing.",
            ConfigFault(1, "proxy 'b': no such thing.", "one"),
        ),
        ("[ALERT]    (1) : config : Proxy 'b': unable to find it.", ConfigFault(0, "Proxy 'b': unable to find it.")),
        (
            "[WARNING]  (1) : config : missing timeouts for backend 'b'.",
            ConfigFault(0, "missing timeouts for backend 'b'.", fatal=False),
        ),
    ],
)
def test_complaints_are_read_with_their_line(said: str, fault: ConfigFault) -> None:
    noise = (
        "[NOTICE]   (1) : haproxy version is 2.6\n",
        "   | not indented by chance\n",
        "[ALERT]    (1) : config : Error(s) found in configuration file : /x/c.cfg\n",
        "[ALERT]    (1) : config : Fatal errors found in configuration.\n",
    )
    assert parse("".join((noise[0], said, "\n", *noise[1:])), ["  one", "  two"]) == (fault,)


@every_version
async def test_all_errors_are_told_at_once_and_warnings_are_not_fatal(series: str, tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    config.write_text(GOOD + "    bogus\n    server x nonsense:port\n")
    faults = [f for f in await check(str(haproxy(series)), str(config)) if f.fatal]
    assert [(f.line, f.source) for f in faults] == [(7, "bogus"), (8, "server x nonsense:port")]
    assert "bogus" in str(faults[0])
    assert str(faults[0]).startswith("line 7: ")
    config.write_text(GOOD.replace("    timeout client 1s\n", "") + "frontend f\n    bind 127.0.0.1:1\n")
    faults = list(await check(str(haproxy(series)), str(config)))
    assert faults
    assert not any(f.fatal for f in faults)
    config.write_text(GOOD)
    assert not [f for f in await check(str(haproxy(series)), str(config)) if f.fatal]


@every_version
async def test_a_file_that_is_not_there_is_a_fault(series: str, tmp_path: Path) -> None:
    assert [f for f in await check(str(haproxy(series)), str(tmp_path / "none.cfg")) if f.fatal]


async def test_a_missing_binary_is_its_own_error() -> None:
    with pytest.raises(BinaryError, match="cannot run /nonexistent/haproxy"):
        await check("/nonexistent/haproxy", "/x.cfg")
