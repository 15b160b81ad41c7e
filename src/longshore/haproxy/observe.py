"""Ask HAProxy what it runs: servers with their states, backends, maps, sessions.

Facts: management.txt 9.3, "show servers state" (version 1 of its format), "show map", "show backend", "show stat".
`show stat json` is 22 MB for 2,000 servers; the CSV is used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longshore.clients.haproxy import RuntimeClient, command
from longshore.core.drift import Observed, ObservedServer
from longshore.core.render import Admin

_MAINT_BITS = 0x01 | 0x02 | 0x04 | 0x20  # forced, inherited, in the configuration, by resolution
_DRAIN_BITS = 0x08 | 0x10


async def observe(client: RuntimeClient, maps: Iterable[str]) -> Observed:
    """Ask for all servers and the given maps."""
    wanted = list(maps)
    lines = ["show backend", "show servers state", *(command("show", "map", path) for path in wanted)]
    backends, state, *contents = await client.run(lines)
    servers: dict[str, dict[str, ObservedServer]] = {
        line.strip(): {} for line in backends.text.splitlines() if line.strip() and not line.startswith("#")
    }
    for name, server in parse_state(state.text):
        servers.setdefault(name, {})[server.name] = server
    found = {path: parse_map(reply.text) for path, reply in zip(wanted, contents, strict=True) if reply.ok}
    return Observed(servers, found)


def parse_state(text: str) -> list[tuple[str, ObservedServer]]:
    """Parse `show servers state`: a version line, a header with `#`, then one server per line."""
    found: list[tuple[str, ObservedServer]] = []
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            columns = line[1:].split()
            continue
        words = line.split()
        if not columns or len(words) < 8:
            continue
        row = dict(zip(columns, words, strict=False))
        server = ObservedServer(
            row["srv_name"],
            row["srv_addr"],
            int(row.get("srv_port", "0")),
            _admin(int(row["srv_admin_state"])),
            int(row["srv_uweight"]),
            up=row["srv_op_state"] != "0",
        )
        found.append((row["be_name"], server))
    return found


def _admin(bits: int) -> Admin:
    if bits & _MAINT_BITS:
        return "maint"
    return "drain" if bits & _DRAIN_BITS else "ready"


def parse_map(text: str) -> dict[str, str]:
    """Parse `show map`: "0x5581… key value" per entry. The first of equal keys is the one HAProxy finds."""
    entries: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split(" ", 2)
        if len(words) == 3 and words[0].startswith("0x"):
            entries.setdefault(words[1], words[2])
    return entries


@dataclass(frozen=True, slots=True)
class ServerStat:
    """What `show stat` says of a server now."""

    status: str  # "UP", "DOWN", "UP 1/3", "DRAIN", "MAINT", "no check", "NOLB"
    sessions: int
    total: int  # requests or connections so far
    changed: int  # seconds since the status changed
    check: str  # result of the last check, for people: "L4CON: Connection refused", "L7STS 503: Service Unavailable"
    address: str = ""  # with the port; "" if it has none


async def stats(
    client: RuntimeClient, before: Mapping[tuple[str, str], ServerStat] | None = None
) -> dict[tuple[str, str], ServerStat]:
    """Numbers of every server, by backend and name. `before` is what was found last time."""
    text = await client.ask("show stat -1 4 -1")
    found = {}
    for row in csv.DictReader(text.lstrip("# ").splitlines()):
        key = row["pxname"], row["svname"]
        check = _check(row, before.get(key) if before else None)
        found[key] = ServerStat(
            row["status"],
            int(row["scur"] or 0),
            int(row["stot"] or 0),
            int(row["lastchg"] or 0),
            check,
            row.get("addr") or "",
        )
    return found


def _check(row: Mapping[str, str], before: ServerStat | None) -> str:
    """Say how the last check ended. While one is under way ("* L7STS"), HAProxy does not tell code and text."""
    word = row.get("check_status", "")
    if word.startswith("* "):
        return before.check if before and before.status == row["status"] else word.removeprefix("* ")
    result = " ".join(filter(None, (word, row.get("check_code", ""))))
    return ": ".join(filter(None, (result, row.get("last_chk", ""))))
