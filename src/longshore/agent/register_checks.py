"""What the registrar asks of an endpoint before it stands in a registry, and again while it does.

`check` makes one attempt of one kind and gives its verdict within the timeout, whatever the other side does. How often
it is asked, and how many verdicts in a row count, is the registrar's business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from longshore.agent import first_check
from longshore.agent.first_check import CheckFailed, Target, told
from longshore.agent.register_check_exec import run
from longshore.agent.register_check_grpc import serving
from longshore.agent.register_check_rabbitmq import turnaround
from longshore.agent.register_check_redis import ping
from longshore.agent.register_check_target import CheckTarget
from longshore.clients.docker import DockerClient
from longshore.core import places
from longshore.core.model import Check
from longshore.core.register_check import RegisterCheck

__all__ = ["CheckTarget", "Verdict", "check"]

NO_HEALTHCHECK = "its image has no HEALTHCHECK: give it one, or choose another check"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is a sentence for people; on success mostly "", else something that they may want to know."""

    ok: bool
    why: str = ""


async def check(
    asked: RegisterCheck, target: CheckTarget, timeout: float, engine: DockerClient | None = None
) -> Verdict:
    """Make one attempt; `timeout` in seconds. `engine` runs the command of kind exec. Raises only cancellation."""
    try:
        async with told(timeout):
            return Verdict(ok=True, why=await _attempt(asked, target, timeout, engine))
    except CheckFailed as failed:
        return Verdict(ok=False, why=str(failed))


async def _attempt(asked: RegisterCheck, target: CheckTarget, timeout: float, engine: DockerClient | None) -> str:
    """Return "" or what there is to know of an endpoint that is fine. Raises what `told` turns into CheckFailed."""
    match asked.kind:
        case "http" | "https" | "tcp" | "tls":
            await _connect(asked, target, timeout)
        case "grpc":
            await serving(target, asked.argument)
        case "redis":
            return await ping(target, asked.argument)
        case "rabbitmq":
            await turnaround(target)
        case "exec":
            await run(engine, target.container, asked.argument)
        case "docker":
            _healthy(target.health)
        case "none":
            pass
    return ""


def _healthy(health: str) -> None:
    if not health or health == "none":
        raise CheckFailed(NO_HEALTHCHECK)
    if health != "healthy":
        raise CheckFailed(f"its HEALTHCHECK says {health}")


async def _connect(asked: RegisterCheck, target: CheckTarget, timeout: float) -> None:
    """Do what the balancer's first check does, with each address of a name until one passes."""
    tls: Literal["", "verify", "insecure"] = (target.tls or "insecure") if asked.kind in ("https", "tls") else ""
    addresses = await _addresses(target)
    share = timeout / len(addresses)
    what = Check("tcp", host=target.host, timeout=share)
    if asked.kind in ("http", "https"):
        what = Check(
            "http", asked.argument, target.host, target.status, target.expect, timeout=share, method=target.method
        )
    failed = CheckFailed("")
    for address in addresses:
        one = Target(address, target.port, what, tls, target.proxied, target.headers)
        try:
            await first_check.check(one, first_check.begin(one), share)
        except CheckFailed as this:
            failed = this
        else:
            return
    raise failed


async def _addresses(target: CheckTarget) -> Sequence[str]:
    if address := places.ip(target.address):
        return [address]
    found = await asyncio.get_running_loop().getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
