"""What old lines of a configuration are translated to: every version takes it without a word, and it does the same."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from longshore.compat.haproxy_lines import in_order, modern, split
from tests.compat.old_lines import TRANSLATED, Old
from tests.haproxy.app import App, app
from tests.haproxy.rendered import Answer, exchange, until
from tests.lab import ports
from tests.lab.haproxy import every_version, haproxy, oldest_and_newest

pytestmark = pytest.mark.system

NEEDS = {"http-check expect": ("option httpchk",)}


def configuration(port: int, sections: dict[str, Sequence[str]], mode: str = "http", app: int = 1) -> str:
    """A small configuration; `sections` has lines to add, "server" and "bind" words to add."""
    timeouts = ("timeout connect 1s", "timeout client 5s", "timeout server 5s", "timeout tarpit 1s")
    bind = " ".join(("bind", f"127.0.0.1:{port}", *sections.get("bind", ())))
    server = " ".join(("server", "one", f"127.0.0.1:{app}", *sections.get("server", ())))
    parts: dict[str, Sequence[str]] = {
        "global": ("maxconn 100", *sections.get("global", ())),
        "ring longshore": sections.get("ring", ()),
        "defaults": (f"mode {mode}", *timeouts, *sections.get("defaults", ())),
        "frontend main": (bind, *sections.get("frontend", ()), "default_backend app"),
        "backend app": (*sections.get("backend", ()), server),
    }
    return "".join(f"{title}\n" + "".join(f"    {line}\n" for line in lines) for title, lines in parts.items())


@every_version
@pytest.mark.parametrize("old", [pytest.param(old, id=f"§11 {old.row}: accepted") for old in TRANSLATED])
def test_every_version_takes_the_translation_without_a_word(series: str, old: Old, tmp_path: Path) -> None:
    lines = (*NEEDS.get(old.row, ()), *modern(old.line, old.section, old.mode)[0])
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration(ports.free(), {old.section: lines}, old.mode))
    checked = subprocess.run([haproxy(series), "-c", "-f", file], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    "old",
    [pytest.param(old, id=f"§11 {old.row}: gone") for old in TRANSLATED if old.section in ("frontend", "backend")],
)
def test_the_newest_version_does_not_take_the_old_line(old: Old, tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration(ports.free(), {old.section: (*NEEDS.get(old.row, ()), old.line)}, old.mode))
    checked = subprocess.run([haproxy("3.4"), "-c", "-f", file], capture_output=True, text=True, check=False)
    assert checked.returncode or checked.stderr


class Proxy:
    """A running HAProxy with translated lines, in front of an app."""

    def __init__(self, port: int, app: App) -> None:
        self.port = port
        self.app = app

    async def ask(self, path: str = "/", host: str = "a.test", method: str = "GET", **headers: str) -> Answer:
        """Send one request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await exchange(reader, writer, path, host, method, headers=headers)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def listens(self) -> bool:
        """Whether it accepts connections."""
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


def translated(lines: Sequence[str], section: str) -> list[str]:
    """Old lines of one section, each said anew, in HAProxy's order."""
    return [new for at in in_order(lines) for new in modern(lines[at], section)[0]]


@contextlib.asynccontextmanager
async def proxy(series: str, server: Sequence[str] = (), **old: Sequence[str]) -> AsyncIterator[Proxy]:
    """Run HAProxy with old lines of its sections, and words of its server."""
    folder = Path(tempfile.mkdtemp(prefix="longshore-"))
    try:
        async with app("one") as behind:
            port = ports.free()
            said: dict[str, Sequence[str]] = {name: translated(lines, name) for name, lines in old.items()}
            file = folder / "haproxy.cfg"
            file.write_text(configuration(port, {**said, "server": server}, app=behind.port))
            running = await asyncio.create_subprocess_exec(haproxy(series), "-db", "-f", file)
            found = Proxy(port, behind)
            try:
                await until(found.listens, f"HAProxy {series} listens")
                yield found
            finally:
                with contextlib.suppress(ProcessLookupError):
                    running.terminate()
                await running.wait()
    finally:
        shutil.rmtree(folder)


@oldest_and_newest
@pytest.mark.parametrize("row", [pytest.param("reqadd", id="§11 reqadd: requests")])
async def test_reqadd_adds_a_header_where_its_condition_holds(series: str, row: str) -> None:
    lines = [f'{row} X-Added:\\ 100%\\ \\"sure\\"', f"{row} X-Post:\\ yes unless {{ path /a }} || {{ method GET }}"]
    async with proxy(series, frontend=lines) as one:
        await one.ask("/a")
        await one.ask("/b", method="POST")
        first, second = (request.headers for request in one.app.requests)
    assert first["x-added"] == '100% "sure"'
    assert "x-post" not in first
    assert second["x-post"] == "yes"


@oldest_and_newest
@pytest.mark.parametrize("row", [pytest.param("rspadd", id="§11 rspadd: requests")])
async def test_rspadd_and_rsprep_and_rspidel_change_the_answer(series: str, row: str) -> None:
    backend = [f"{row} X-Url:\\ http://a.test/x?y=1%202", f"{row} Server:\\ secret", f"{row} X-Powered-By:\\ php"]
    frontend = ["rspirep ^x-url:\\ http://([^/]*)/(.*) X-Url:\\ https://\\1:443/\\2", "rspidel ^(Server|X-Powered-By):"]
    async with proxy(series, frontend=frontend, backend=backend) as one:
        headers = (await one.ask()).headers
    assert headers["x-url"] == "https://a.test:443/x?y=1%202"
    assert {"server", "x-powered-by"} & headers.keys() == set()


REWRITES = [
    (r"reqrep ^([^\ :]*)\ /static/(.*) \1\ /\2", "/static/a/b?c=/static/d", "/a/b?c=/static/d"),
    (r"reqrep ^([^\ :]*)\ /static/(.*) \1\ /\2", "/other/static/a", "/other/static/a"),
    (r"reqirep ^([^\ :]*)\ /STATIC/(.*) \1\ /\2", "/static/a", "/a"),
    (r"reqrep ^([^\ ]*)\ /a/(b|c)/(.*)\ (.*) \1\ /\3/\2\ \4", "/a/c/x/y?z", "/x/y?z/c"),
    (r"reqrep ^GET\ /old\ HTTP/1.[01] GET\ /new\ HTTP/1.1", "/old", "/new"),
    (r"reqrep ^GET\ /old\ HTTP/1.[01] GET\ /new\ HTTP/1.1", "/old?a", "/old?a"),
    (r"reqrep ^POST\ /old(.*) POST\ /new\1", "/old", "/old"),
    (r"reqrep ^(GET|HEAD)\ /([^/\ ]*)/x(.*) \1\ /50%/\2\3", "/a/x/y", "/50%/a/y"),
    (r"reqrep ^([^\ :]*)\ /a(.*) \1\ /b\2 if { hdr(host) other } || { hdr(host) a.test }", "/a", "/b"),
    (r"reqrep ^([^\ :]*)\ /a(.*) \1\ /b\2 unless { hdr(host) other } || { hdr(host) a.test }", "/a", "/a"),
]


@oldest_and_newest
@pytest.mark.parametrize(
    ("line", "path", "expected"), [pytest.param(*row, id="§11 reqrep: requests") for row in REWRITES]
)
async def test_reqrep_changes_the_path_as_it_did(series: str, line: str, path: str, expected: str) -> None:
    async with proxy(series, frontend=[line]) as one:
        await one.ask(path)
        assert [request.target for request in one.app.requests] == [expected]


@oldest_and_newest
@pytest.mark.parametrize("row", [pytest.param("reqirep", id="§11 reqirep: requests")])
async def test_reqirep_changes_a_header_whatever_its_case(series: str, row: str) -> None:
    async with proxy(series, frontend=[f"{row} ^Host:\\ WWW\\.(.*)$ Host:\\ \\1", "reqidel ^X-Forwarded-.*"]) as one:
        await one.ask(host="www.a.test", X_Forwarded_For="1.2.3.4", X_Forwarded_Proto="x", X_Other="stays")
        headers = one.app.requests[0].headers
    assert headers["host"] == "a.test"
    assert {name for name in headers if name.startswith("x-")} == {"x-other"}


@oldest_and_newest
@pytest.mark.parametrize("row", [pytest.param("block", id="§11 block: requests")])
async def test_block_comes_before_what_would_allow(series: str, row: str) -> None:
    lines = ["http-request allow if { path_beg /a }", f"{row} if {{ path /a/secret }} || !{{ hdr(host) a.test }}"]
    async with proxy(series, frontend=lines) as one:
        assert (await one.ask("/a")).status == 200
        assert (await one.ask("/a/secret")).status == 403
        assert (await one.ask("/a", host="b.test")).status == 403


@oldest_and_newest
@pytest.mark.parametrize("row", [pytest.param("reqideny", id="§11 reqideny: requests")])
async def test_reqideny_looks_at_request_line_and_headers(series: str, row: str) -> None:
    lines = [f"{row} ^[^:\\ ]*\\ .*CMD\\.exe", f"{row} ^User-Agent:.*bad\\ bot unless {{ path /robots.txt }}"]
    async with proxy(series, frontend=[*lines, "reqdeny ^GET\\ /only-get\\ HTTP", "reqtarpit ^X-Slow:"]) as one:
        assert (await one.ask("/x?y=cmd.exe")).status == 403
        assert (await one.ask("/x", User_Agent="a BAD bot")).status == 403
        assert (await one.ask("/robots.txt", User_Agent="a bad bot")).status == 200
        assert (await one.ask("/only-get")).status == 403
        assert (await one.ask("/only-get", method="POST")).status == 200
        assert (await one.ask(X_Slow="yes")).status == 500
        assert (await one.ask("/cmd.ex")).status == 200


@oldest_and_newest
@pytest.mark.parametrize("section", [pytest.param("backend", id="§11 option httpchk: requests")])
async def test_checks_send_the_headers_that_were_hidden_behind_the_version(series: str, section: str) -> None:
    lines = [r"option httpchk HEAD /up?a=b%20c HTTP/1.1\r\nHost:\ check.test\r\nUser-Agent:\ old\ check"]
    async with proxy(series, ("check", "inter", "100ms"), **{section: lines}) as one:
        await until(lambda: bool(one.app.requests), "the check arrives")
        asked = one.app.requests[0]
    assert (asked.method, asked.target) == ("HEAD", "/up?a=b%20c")
    assert (asked.headers["host"], asked.headers["user-agent"]) == ("check.test", "old check")


@oldest_and_newest
@pytest.mark.parametrize("line", [pytest.param("mode health", id="§11 mode health: requests")])
async def test_who_watches_gets_an_answer_without_a_server(series: str, line: str) -> None:
    ahead, behind = split([line])
    async with proxy(series, frontend=ahead, backend=behind) as one:
        assert (await one.ask()).status == 200
        assert one.app.requests == []
    async with proxy(series, frontend=["monitor-net 127.0.0.0/8"]) as one:
        assert (await one.ask()).status == 200
        assert one.app.requests == []
