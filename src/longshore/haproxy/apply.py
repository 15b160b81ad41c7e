"""Steps to commands of the runtime socket, sent in one go, and the mirror moved along for each that HAProxy took.

Command facts: management.txt 9.3 of HAProxy 2.6 and 3.4 ("add server", "set server", "add map", "add backend").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.clients.haproxy import Command, Reply, RuntimeClient, command
from longshore.core import steps
from longshore.core.capabilities import Capabilities
from longshore.core.running import Running
from longshore.core.server import Server

_GONE = ("no such server", "no such backend", "can't find backend", "not found")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step that HAProxy did not take, with its answer."""

    step: steps.RuntimeStep
    answer: str


async def apply(
    client: RuntimeClient, running: Running, plan: Sequence[steps.RuntimeStep], caps: Capabilities
) -> tuple[Refusal, ...]:
    """Do all steps in order, in one exchange; `running` follows those that HAProxy took.

    A refused step does not stop the others: they belong to other services, or are made again by the next plan.
    Raises `UnreachableError` when the connection broke: what was done is then unknown, observe again.
    """
    lines: list[str | Command] = []
    spans: list[tuple[steps.RuntimeStep, int]] = []
    for step in plan:
        own = commands(step, running, caps)
        lines += own
        spans.append((step, len(own)))
    replies = iter(await client.run(lines) if lines else ())
    refused = []
    for step, count in spans:
        bad = [reply for reply in [next(replies) for _ in range(count)] if not _fine(step, reply)]
        if bad:
            refused.append(Refusal(step, bad[0].text))
        if not bad or (isinstance(step, steps.AddServer) and bad[0].command.startswith("enable")):
            running.follow(step)
    return tuple(refused)


def commands(step: steps.RuntimeStep, running: Running, caps: Capabilities) -> list[str]:
    """The commands of one step."""
    match step:
        case steps.AddBackend(backend, profile):
            mode = running.profiles[profile].mode
            identity = ("guid", f"b:{backend}") if caps.guid else ()  # its counters survive a reload by this
            return [command("add", "backend", backend, "from", profile, "mode", mode, *identity)]
        case steps.PublishBackend(backend):
            return [command("publish", "backend", backend)]
        case steps.AddServer(backend, server, admin):
            return _add_server(backend, server, admin, running, caps)
        case steps.SetAdmin(backend, server, admin):
            return [command("set", "server", f"{backend}/{server}", "state", admin)]
        case steps.Retire(backend, server):
            return [command("set", "server", f"{backend}/{server}", "state", "maint")]
        case steps.SetWeight(backend, server, weight):
            return [command("set", "server", f"{backend}/{server}", "weight", weight)]
        case steps.PutMap(path, key, value, new):
            return [command("add" if new else "set", "map", path, key, value)]
        case steps.DropMap(path, key):
            return [command("del", "map", path, key)]
        case steps.DelServer(backend, server):
            return [command("del", "server", f"{backend}/{server}")]
        case steps.DelBackend(backend):
            return [command("unpublish", "backend", backend), command("del", "backend", backend)]
        case steps.Place() | steps.Release():
            return []


def _add_server(backend: str, server: Server, admin: str, running: Running, caps: Capabilities) -> list[str]:
    name = f"{backend}/{server.name}"
    lines = [command("add", "server", name, *server.definition.split(" "))]
    if " check" in f" {server.options}":
        lines.append(command("enable", "health", name))
    if not caps.server_cookie and running.profiles[running.backends[backend].profile].dynamic_cookie:
        lines.append(command("enable", "dynamic-cookie", "backend", backend))
    if admin != "maint":
        lines.append(command("enable", "server", name))
    if admin == "drain":
        lines.append(command("set", "server", name, "state", "drain"))
    return lines


def _fine(step: steps.RuntimeStep, reply: Reply) -> bool:
    if reply.ok:
        return True
    deletes = isinstance(step, steps.DelServer | steps.DelBackend | steps.DropMap)
    return deletes and any(text in reply.text.lower() for text in _GONE)
