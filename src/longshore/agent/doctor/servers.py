"""Registries as servers: which members answer, of what version, with a quorum or not, and what their clocks say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp

from longshore.agent.doctor.clock import clock_of, difference, moment
from longshore.agent.doctor.finding import Finding, fine, of_fault
from longshore.clients.etcd_faults import NO_LEADER_HINT, OLD, unreachable
from longshore.clients.faults import TlsFault
from longshore.clients.http_faults import FOREIGN, explain
from longshore.clients.tls import TlsFiles, TlsSettings, client_context, files_of
from longshore.config.fields import split_address
from longshore.config.registries import ConsulSource, EtcdSource, ZookeeperSource

PATIENCE = 3.0  # seconds for one answer
OLDEST_ETCD = (3, 4)
OLDEST_ZOOKEEPER = (3, 5)
OLDEST_CONSUL = (1, 8)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one member said."""

    body: bytes
    status: int
    apart: float  # seconds that its clock is ahead of ours


async def etcd(name: str, source: EtcdSource) -> list[Finding]:
    """Every endpoint of a cluster."""
    return await _each(name, [_etcd(name, source, endpoint) for endpoint in source.endpoints], len(source.endpoints))


async def zookeeper(name: str, source: ZookeeperSource) -> list[Finding]:
    """Every server of an ensemble, asked with its four-letter word "srvr"; over TLS nobody can be asked like that."""
    if source.tls is not None:
        return []
    return await _each(name, [_zookeeper(name, host) for host in source.hosts], len(source.hosts))


async def consul(name: str, source: ConsulSource) -> list[Finding]:
    """The agent of this host."""
    where = f"{name} {source.address}"
    socket = source.address.removeprefix("unix://") if source.address.startswith("unix://") else ""
    base = "http://consul" if socket else source.address
    headers = {}
    with contextlib.suppress(OSError, ValueError):  # what is wrong with the file the listing says
        headers = {"X-Consul-Token": source.token_file.read_text().strip()} if source.token_file else {}
    try:
        leader = await get(f"{base}/v1/status/leader", source.tls, socket)
        itself = await get(f"{base}/v1/agent/self", source.tls, socket, headers)
    except TlsFault as fault:
        return [of_fault(where, fault)]
    except FOREIGN as error:
        return [Finding(where, *explain(error, f"Consul at {source.address}"))]
    found = clock_of(where, leader.apart)
    if leader.body.strip() in (b"", b'""') or leader.status >= 500:
        return [*found, Finding(where, "has no leader", "most of its servers must run and reach each other")]
    try:
        version = str(json.loads(itself.body)["Config"]["Version"])
    except (ValueError, KeyError, TypeError):
        version = ""  # the token may not read it
    if version and numbers(version) < OLDEST_CONSUL:
        what = f"is Consul {version}, which is older than anything longshore was tried on"
        return [*found, Finding(where, what, "use Consul 1.8 or later")]
    return [*found, fine(name, f"the agent answers, its cluster has a leader: Consul {version}".rstrip(": "))]


async def _each(name: str, questions: list[Coroutine[Any, Any, list[Finding]]], count: int) -> list[Finding]:
    answers = await asyncio.gather(*questions)
    findings = [finding for found in answers for finding in found if not finding.fine]
    good = [finding for found in answers for finding in found if finding.fine]
    if good:
        versions = ", ".join(dict.fromkeys(finding.what for finding in good))
        members = "the member answers" if count == 1 else f"{len(good)} of {count} members answer"
        findings.append(fine(name, f"{members}: {versions}"))
    return findings


async def _etcd(name: str, source: EtcdSource, endpoint: str) -> list[Finding]:
    where = f"{name} {endpoint}"
    files = files_of(source.tls)
    try:
        answer = await get(f"{endpoint}/version", source.tls)
    except TlsFault as fault:
        return [of_fault(where, fault)]
    except FOREIGN as error:
        return [of_fault(where, unreachable(error, endpoint, files or TlsFiles()))]
    try:
        version = str(json.loads(answer.body)["etcdserver"])
    except (ValueError, KeyError, TypeError):
        return [Finding(where, "what answers there is not etcd", "check the endpoints")]
    found = clock_of(where, answer.apart)
    if numbers(version) < OLDEST_ETCD:
        return [*found, Finding(where, f"is etcd {version}, which is too old", OLD)]
    if why := await _ill(endpoint, source):
        return [*found, Finding(where, f"answers, but does not serve{why}", NO_LEADER_HINT)]
    return [*found, fine(where, f"etcd {version}")]


async def _ill(endpoint: str, source: EtcdSource) -> str:
    """Why a member says that it does not serve; "" if it does, or does not say. 3.4 and newer tell it at /health."""
    try:
        body = (await get(f"{endpoint}/health", source.tls)).body
    except FOREIGN:
        return ""
    try:
        said = json.loads(body)
        healthy, reason = str(said["health"]), str(said.get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "" if healthy == "true" else f": {reason}".lower() if reason else ": its cluster has no leader"


def _os_text(error: OSError) -> str:
    """What the system says; asyncio's own text for a refused connection holds the address as a tuple."""
    text = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return (text or type(error).__name__).lower()


async def _zookeeper(name: str, host: str) -> list[Finding]:
    where = f"{name} {host}"
    try:
        said = await srvr(*split_address(host))
    except (OSError, TimeoutError) as error:
        reason = "does not answer" if isinstance(error, TimeoutError) else _os_text(error)
        return [Finding(where, f"cannot be reached: {reason}", "is it running? check hosts")]
    if "not currently serving requests" in said:
        hint = "most of its ensemble must run and reach each other"
        return [Finding(where, "answers, but does not serve: it has lost its quorum", hint)]
    if "not in the whitelist" in said or "not executed" in said:
        return [fine(where, "ZooKeeper (it does not say which)")]
    version = re.search(r"version: (\S+?)[-,]", said)
    mode = re.search(r"^Mode: (\w+)", said, re.MULTILINE)
    if version is None:
        return [Finding(where, "what answers there is not ZooKeeper", "is it its client port?")]
    if numbers(version[1]) < OLDEST_ZOOKEEPER:
        what = f"is ZooKeeper {version[1]}, which is older than anything longshore was tried on"
        return [Finding(where, what, "use ZooKeeper 3.8 or later")]
    return [fine(where, f"ZooKeeper {version[1]}" + (f" {mode[1]}" if mode and mode[1] == "standalone" else ""))]


async def srvr(host: str, port: int) -> str:
    """Ask a ZooKeeper server about itself. Raises OSError, TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"srvr")
            await writer.drain()
            return (await reader.read(16384)).decode(errors="replace")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def get(url: str, tls: TlsSettings | None, socket: str = "", headers: dict[str, str] | None = None) -> Answer:
    """GET, once. Raises TlsFault and what aiohttp raises."""
    context = client_context(files_of(tls) or TlsFiles()) if url.startswith("https:") else True
    connector = aiohttp.UnixConnector(socket) if socket else aiohttp.TCPConnector()
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
        asyncio.timeout(PATIENCE + 1.0),
    ):
        asked = time.time()
        async with session.get(url, timeout=timeout, allow_redirects=False, ssl=context, headers=headers) as response:
            apart = difference(moment(response.headers.get("Date", "")), asked, time.time())
            return Answer(await response.content.read(2**20), response.status, apart)


def numbers(version: str) -> tuple[int, ...]:
    """Give the first two numbers of a version."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2])
