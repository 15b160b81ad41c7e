"""What stands in a registry: entries that cannot be used, that nobody can reach, or that say what cannot be true."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path

from longshore.agent.doctor.finding import Finding, at_most, counted, fine, of_fault, of_problems
from longshore.agent.registry_read import Reading, listing
from longshore.clients.registry_faults import RegistryError
from longshore.core.entries import Entry
from longshore.core.inventory import Inventory, is_used
from longshore.core.places import ip, joined
from longshore.core.registered import Registered
from longshore.core.values import shown
from longshore.sources.answering import Answer, answer_of

AT_ONCE = 64
"""Endpoints that are connected to together."""
PATIENCE = 20.0
"""Seconds for all of them."""
FUTURE = 60.0
"""Seconds that an entry may be younger than now."""
MOST = 20
"""Findings of one kind that are listed."""
DEFAULT_BRIDGE = ipaddress.ip_network("172.17.0.0/16")

Ask = Callable[[str, int], Awaitable[Answer]]
Network = ipaddress.IPv4Network


async def entries(
    reading: Reading,
    progress: Callable[[str], None],
    *,
    ask: Ask = answer_of,
    now: float | None = None,
    here: str = "",
    bridges: Iterable[Network] | None = None,
) -> list[Finding]:
    """Look at everything that stands there. `here` is this host's name, `bridges` its container networks."""
    name = reading.name
    try:
        values = await listing(reading.adapter())
    except RegistryError as error:
        return [of_fault(name, error)]
    inventory = Inventory(reading.options)
    inventory.replace(values)
    registered = Registered(reading.options)
    registered.replace(values)
    services, problems = registered.build()
    used = {key: entry for key, entry in inventory.entries.items() if is_used(entry, reading.options)}
    found = [
        *of_problems(problems),
        *at_most(MOST, list(_from_the_future(name, used, time.time() if now is None else now)), name, "entries"),
    ]
    bridges = local_bridges() if bridges is None else bridges
    odd = dict(_elsewhere(name, used, here or socket.gethostname(), tuple(bridges)))
    found += at_most(MOST, list(odd.values()), name, "entries with such addresses")
    progress(f"{name}: connecting to {counted(len(used), 'endpoint')}")
    silent, untried = await _unreachable(used, ask)
    found += at_most(MOST, [_silent(name, key, used[key], said) for key, said in silent.items()], name, "of these")
    if untried:
        what = f"{counted(untried, 'endpoint')} could not be tried within {PATIENCE:g} s"
        found.append(Finding(name, what, "many do not answer: see above"))
    words = f"{counted(len(services), 'service')}, {counted(len(used), 'endpoint')}"
    all_good = used and not silent and not untried
    return [*found, fine(name, words + (", all accept connections from here" if all_good else ""))]


def local_bridges() -> list[Network]:
    """The networks of this host's container bridges, as its routes tell (/proc/net/route)."""
    try:
        rows = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    except OSError:
        return []
    return [
        ipaddress.IPv4Network(f"{_word(row[1])}/{_word(row[7])}")
        for row in rows
        if row[0].startswith(("docker", "br-")) and len(row) > 7 and row[7] != "00000000"
    ]


def _word(text: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(text), sys.byteorder))


def _from_the_future(name: str, entries: Mapping[str, Entry], now: float) -> Iterator[Finding]:
    for key, entry in sorted(entries.items()):
        if entry.since > now + FUTURE:
            what = f"was registered in {entry.since - now:.0f} s: in the future"
            who = entry.machine or entry.owner or "its host"
            yield Finding(_where(name, key), what, f"the clock of {_said(who)} is ahead, or this host's is behind")


def _elsewhere(
    name: str, entries: Mapping[str, Entry], here: str, bridges: tuple[Network, ...]
) -> Iterator[tuple[str, Finding]]:
    """Addresses that mean another machine on each host."""
    cure = "set `register: {address: …}` on its host, or the label longshore.register-address"
    for key, entry in sorted(entries.items()):
        literal = ip(entry.host)
        if literal is None:
            continue
        address = ipaddress.ip_address(literal)
        place = joined(literal, entry.port)
        theirs = bool(entry.machine) and entry.machine != here
        if address.is_loopback or address.is_unspecified:
            what = f"{place} is an address that every host has itself: no other host reaches it"
            yield key, Finding(_where(name, key), what, cure)
        elif address.is_link_local:
            what = f"{place} is valid on one network segment only"
            yield key, Finding(_where(name, key), what, cure)
        elif theirs and isinstance(address, ipaddress.IPv4Address) and _bridged(address, bridges):
            what = f"{place} is of a container network, and runs on {_said(entry.machine)}: other hosts do not reach it"
            yield key, Finding(_where(name, key), what, f"publish its port; {cure}")


def _bridged(address: ipaddress.IPv4Address, bridges: tuple[Network, ...]) -> bool:
    return any(address in network for network in (DEFAULT_BRIDGE, *bridges))


async def _unreachable(entries: Mapping[str, Entry], ask: Ask) -> tuple[dict[str, Answer], int]:
    """Connect to each place once; give who did not take it, and how many could not be tried in time."""
    places = {(entry.host, entry.port) for entry in entries.values()}
    limit = asyncio.Semaphore(AT_ONCE)
    answers: dict[tuple[str, int], Answer] = {}

    async def one(place: tuple[str, int]) -> None:
        async with limit:
            answers[place] = await ask(*place)

    tasks = [asyncio.create_task(one(place)) for place in sorted(places)]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=PATIENCE)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    said = {key: answers.get((entry.host, entry.port)) for key, entry in sorted(entries.items())}
    silent: dict[str, Answer] = {key: answer for key, answer in said.items() if answer not in (None, "open")}
    return silent, sum(answer is None for answer in said.values())


def _silent(name: str, key: str, entry: Entry, said: Answer) -> Finding:
    place = joined(entry.host, entry.port)
    keeper = f" ({_said(entry.owner)} keeps it)" if entry.owner else ""
    if said == "refused":
        hint = f"nothing listens there: has it ended without being withdrawn{keeper}?"
        return Finding(_where(name, key), f"{place} refuses connections", hint)
    hint = f"is its host up, and do firewalls let this host through{keeper}?"
    return Finding(_where(name, key), f"{place} does not answer from here", hint)


def _where(name: str, key: str) -> str:
    return f"{name} {shown(key, 160)[1:-1]}"


def _said(text: str) -> str:
    return shown(text, 80)[1:-1]
