"""Engines: whether they can be reached, and what their containers' labels would give."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from longshore.agent.connect import operator_services
from longshore.agent.doctor.clock import clock_of, difference
from longshore.agent.doctor.finding import Finding, counted, fine, of_fault, of_problems
from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.tls import files_of
from longshore.config.engine import Engine
from longshore.config.load import Loaded
from longshore.config.sources import DockerSource
from longshore.core.build import Options, build
from longshore.core.containers import Container, from_inspect
from longshore.sources.docker_here import find_here

AT_ONCE = 16
"""Containers that are asked about together."""


async def engine(loaded: Loaded, name: str, settings: Engine) -> list[Finding]:
    """One engine, a source's or the registrar's."""
    where = f"engine {name} ({settings.host})"
    try:
        async with DockerClient(settings.host, tls=files_of(settings.tls)) as client:
            version = client.version
            found = clock_of(where, difference(version.date, time.time() - 1.0, time.time()))
            containers = await _containers(client)
            here = await find_here(client)
    except DockerError as error:
        return [of_fault(where, error)]
    words = f"Docker {version.engine}, {counted(len(containers), 'container')} run"
    if not isinstance(settings, DockerSource):
        return [*found, fine(where, words)]
    options = Options(name, settings.expose, settings.group_by, here=here, operator=operator_services(loaded, name))
    services, problems = build(containers, options)
    endpoints = sum(len(service.endpoints) for service in services)
    words += f", {counted(len(services), 'service')} with {counted(endpoints, 'endpoint')}"
    return [*found, *of_problems(problems), fine(where, words)]


async def _containers(client: DockerClient) -> list[Container]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def inspect(identity: str) -> dict[str, Any] | None:
        async with limit:
            return await client.inspect(identity)

    documents = await asyncio.gather(*map(inspect, await client.containers()))
    return list(_read(documents))


def _read(documents: Iterable[dict[str, Any] | None]) -> Iterable[Container]:
    for document in documents:
        if document is not None:
            try:
                yield from_inspect(document)
            except ValueError:
                continue  # the source says it
