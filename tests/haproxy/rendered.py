"""A real HAProxy that runs a rendered layout, and a client that asks it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.hold import SCRIPT
from longshore.core.model import Endpoint, Service
from longshore.core.render import Bind, Frontend, Layout, Paths, Process, first_files, maps_of, render
from longshore.core.routes import frontend_of, map_key
from longshore.core.server import Server, server_of
from tests.core.layouts import layout_of
from tests.haproxy.app import App
from tests.lab import ports
from tests.lab.haproxy import haproxy
from tests.lab.waiting import eventually


def capabilities(series: str) -> Capabilities:
    """What the lab's HAProxy of a series can do."""
    major, minor = series.split(".")
    return TYPICAL[int(major), int(minor)]


def endpoint(app: App | int, name: str = "") -> Endpoint:
    """The endpoint of an app, or of a port of 127.0.0.1."""
    port = app if isinstance(app, int) else app.port
    return Endpoint(f"127.0.0.1:{port}", name or f"port-{port}", "127.0.0.1", port)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got. A connection closed without an answer has the status 0."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: str


@dataclass(slots=True)
class Rendered:
    """One running HAProxy. `http` is the port of the frontend "http", `https` that of "https"."""

    caps: Capabilities
    paths: Paths
    layout: Layout
    http: int
    https: int
    output: Path

    async def ask(
        self,
        path: str = "/",
        host: str = "a.test",
        method: str = "GET",
        port: int = 0,
        body: str = "",
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request on a new connection; header names may be written with _ for -."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.http, ssl=tls)
        try:
            return await exchange(reader, writer, path, host, method, body, headers)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def command(self, line: str) -> str:
        """Run one command of the runtime socket."""
        reader, writer = await asyncio.open_unix_connection(self.paths.socket)
        writer.write(line.encode() + b"\n")
        said = (await reader.read()).decode().strip()
        writer.close()
        await writer.wait_closed()
        return said

    async def answers(self) -> bool:
        """Whether the runtime socket answers."""
        return bool(await self.command("show version"))

    async def add(self, backend: str, server: Server) -> None:
        """Add a server at runtime, as the executor does."""
        assert "registered" in await self.command(f"add server {backend}/{server.name} {server.definition}")
        if "check " in server.options:
            await self.command(f"enable health {backend}/{server.name}")
        if " dynamic" in " ".join(line for profile in self.layout.profiles for line in profile.lines):
            await self.command(f"enable dynamic-cookie backend {backend}")
        await self.command(f"enable server {backend}/{server.name}")

    async def column(self, name: str, proxy: str, server: str = "BACKEND") -> str:
        """One column of `show stat`."""
        head, *rows = [line.split(",") for line in (await self.command("show stat")).splitlines()]
        at = head.index(name)
        found = [row[at] for row in rows if row[0] == proxy and (row[1] == server or row[1].startswith(server + "."))]
        assert len(found) == 1, f"{proxy}/{server}: {found}"
        return found[0]

    async def until_column(self, name: str, value: str, proxy: str, server: str = "BACKEND") -> None:
        """Wait until a column of `show stat` has a value."""

        async def is_so() -> bool:
            return await self.column(name, proxy, server) == value

        await until(is_so, f"{name} of {proxy}/{server} is {value}")


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Wait until a condition that has to be awaited is true."""
    await eventually(condition, what=what)


async def exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    path: str = "/",
    host: str = "a.test",
    method: str = "GET",
    body: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request on an open connection and read its answer."""
    sent = {"Host": host, **{name.replace("_", "-"): value for name, value in (headers or {}).items()}}
    if body or method == "POST":
        sent["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}".encode())
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, {}, "")
    pairs = (line.partition(":") for line in lines[1:] if line)
    got = {name.lower(): value.strip() for name, _, value in pairs}
    size = int(got.get("content-length", 0)) if method != "HEAD" else 0
    return Answer(int(lines[0].split()[1]), got, (await reader.readexactly(size)).decode())


def write_files(
    layout: Layout, caps: Capabilities, maps: Mapping[str, Mapping[str, str]], edit: tuple[str, str] = ("", "")
) -> None:
    """Write the configuration and every file that HAProxy needs beside it."""
    paths = layout.process.paths
    Path(paths.maps).mkdir(parents=True)
    for file in maps_of(layout):
        Path(file).write_text("".join(f"{key} {value}\n" for key, value in maps.get(file, {}).items()))
    for file, text in first_files(paths).items():
        Path(file).write_text(text)
    Path(paths.lua).write_text(SCRIPT)
    Path(paths.config).write_text(render(layout, caps).replace(*edit))


def maps_for(services: tuple[Service, ...], paths: Paths) -> dict[str, dict[str, str]]:
    """What the maps hold when every service has the backend `s:<name>`."""
    maps: dict[str, dict[str, str]] = {paths.check_path_map: {}, paths.check_host_map: {}, paths.service_map: {}}
    for service in services:
        name = f"s:{service.name}"
        maps[paths.service_map][name] = service.name
        for route in service.routes:
            tcp = service.mode == "tcp"
            file = paths.tcp_map if tcp else paths.route_map(frontend_of(route, service.mode))
            maps.setdefault(file, {})[map_key(route, service.mode)] = name
        if service.policy.check.kind == "http":
            maps[paths.check_path_map][name] = service.policy.check.path
            if service.policy.check.host:
                maps[paths.check_host_map][name] = service.policy.check.host
    return maps


def certificate(folder: Path, name: str = "a.test") -> Path:
    """Make a certificate with its key in one PEM file."""
    folder.mkdir(exist_ok=True)
    target = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", target, "-out", folder / "crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    target.write_text(target.read_text() + (folder / "crt").read_text())
    (folder / "crt").unlink()
    return target


@contextlib.asynccontextmanager
async def run(
    series: str, *services: Service, edit: tuple[str, str] = ("", ""), **settings: object
) -> AsyncIterator[Rendered]:
    """Run HAProxy with these services, each in the backend `s:<name>`; `settings` are those of `Process`.

    `edit` replaces one text of the configuration by another.
    """
    folder = Path(tempfile.mkdtemp(prefix="longshore-"))
    try:
        async with _run(folder, series, services, edit, settings) as rendered:
            yield rendered
    finally:
        shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def _run(
    folder: Path, series: str, services: tuple[Service, ...], edit: tuple[str, str], settings: Mapping[str, object]
) -> AsyncIterator[Rendered]:
    caps, paths = capabilities(series), Paths(str(folder))
    http, https = ports.free(), ports.free()
    certificate(folder / "certs")
    frontends = (
        Frontend("http", "http", (Bind(f"127.0.0.1:{http}"),), paths.route_map("")),
        Frontend("https", "http", (Bind(f"127.0.0.1:{https}", str(folder / "certs")),), paths.route_map("")),
    )
    process = replace(Process(paths, max_connections=500, threads=2), **settings)  # type: ignore[arg-type]
    layout = layout_of(services, caps, paths, process=process, frontends=frontends)
    write_files(layout, caps, maps_for(services, paths), edit)
    output = folder / "output"
    with output.open("wb") as file:
        running = await asyncio.create_subprocess_exec(
            haproxy(series), "-db", "-f", paths.config, stdout=file, stderr=subprocess.STDOUT
        )
    rendered = Rendered(caps, paths, layout, http, https, output)
    try:
        await until(rendered.answers, what=f"HAProxy {series} answers on its runtime socket")
        yield rendered
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.terminate()
        await running.wait()


def server_for(service: Service, endpoint_: Endpoint, rendered: Rendered) -> Server:
    """The server of an endpoint that is to be added at runtime."""
    return server_of(service, endpoint_, rendered.caps)
