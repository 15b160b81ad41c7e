"""What the registrar asks of an endpoint before it stands in a registry, and again while it does.

`check` makes one attempt of one kind and gives its verdict within the timeout, whatever the other side does. How often
it is asked, and how many verdicts in a row count, is the registrar's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from longshore.clients.docker import DockerClient
from longshore.core.register_check import RegisterCheck


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """Whom to ask, and what counts as a good answer.

    `tls` is for grpc and redis: ask over TLS; for tls and https: "verify" trusts only the system's authorities, else
    any certificate is fine.
    """

    address: str  # an IP address or a name
    port: int
    container: str = ""  # its id, for exec
    health: str = ""  # what the engine says of its HEALTHCHECK: "", "starting", "healthy", "unhealthy"
    host: str = ""  # Host header, :authority and SNI; "" is "localhost" over HTTP, the address over TLS
    status: str = "200-399"  # of HTTP: "200", "200-299", "200,204,301"
    expect: str = ""  # text that the body of an HTTP answer must contain
    tls: Literal["", "verify", "insecure"] = ""
    proxied: bool = False  # a published port: its forwarder accepts first and finds out later that nobody listens


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is a sentence for people; on success mostly "", else something that they may want to know."""

    ok: bool
    why: str = ""


async def check(
    asked: RegisterCheck, target: CheckTarget, timeout: float, engine: DockerClient | None = None
) -> Verdict:
    """Make one attempt; `timeout` in seconds. `engine` runs the command of kind exec. Raises only cancellation."""
    return await KINDS[asked.kind](asked, target, timeout, engine)


async def _none(_: RegisterCheck, __: CheckTarget, ___: float, ____: DockerClient | None) -> Verdict:
    return Verdict(ok=True)


KINDS: dict[str, Callable[[RegisterCheck, CheckTarget, float, DockerClient | None], Awaitable[Verdict]]] = {
    "none": _none,
}
