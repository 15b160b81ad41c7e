"""The APIs that services are made of: Marathon, EC2. Each thing that a service asks for is asked for once."""

from __future__ import annotations

from collections.abc import Mapping

from longshore.agent.connect_apis import Api, picks_of
from longshore.agent.doctor.finding import Finding, counted, fine, of_fault
from longshore.clients.aws import Patience as AwsPatience
from longshore.clients.ec2 import running
from longshore.clients.marathon import Patience
from longshore.clients.registry_faults import RegistryError
from longshore.config.ec2 import Ec2Source
from longshore.config.load import Loaded
from longshore.config.marathon import MarathonSource
from longshore.core.origins import service_of
from longshore.core.registered import Pick
from longshore.sources import ec2, marathon

SOON = 5.0
"""Seconds for one answer."""


async def api(loaded: Loaded, name: str, source: Api, environ: Mapping[str, str]) -> list[Finding]:
    """What an API tells of each service."""
    picks = picks_of(loaded, name, source)
    if not picks:
        return [fine(name, "is not asked: no service is made of it")]
    try:
        if isinstance(source, MarathonSource):
            return await _marathon(name, source, picks)
        return await _ec2(name, source, picks, environ)
    except RegistryError as fault:
        return [of_fault(name, fault)]


async def _marathon(name: str, source: MarathonSource, picks: tuple[Pick, ...]) -> list[Finding]:
    found = []
    async with marathon.client_of(source, Patience(answer=SOON)) as client:
        for app in dict.fromkeys(pick.service or "" for pick in picks):
            tasks = await client.tasks(app)
            if tasks is None:
                found.append(Finding(f"{name} {app}", "Marathon knows no such app", "correct `app`, or deploy it"))
            else:
                found.append(fine(f"{name} {app}", counted(len(tasks), "task")))
    return found


async def _ec2(name: str, source: Ec2Source, picks: tuple[Pick, ...], environ: Mapping[str, str]) -> list[Finding]:
    found = []
    async with ec2.client_of(source, environ, AwsPatience(answer=SOON)) as aws:
        for pick in picks:
            machines = await running(aws, ec2.filters_of(pick.labels))
            count = sum(all(each.holds(dict(machine.tags)) for each in pick.labels) for machine in machines)
            where = f"{name} {service_of(pick.name)}"
            found.append(fine(where, f"{counted(count, 'machine')} with these tags"))
    return found
