"""`longshore registry put`: an endpoint registered by hand, and held."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import hashlib
import signal
import socket
import time
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.connect_holders import holder_of
from longshore.agent.registry_read import Reading
from longshore.cli.durations import seconds
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.entry_lines import as_json as json_of
from longshore.cli.entry_lines import found_line
from longshore.cli.options import AsJson, ConfigFile
from longshore.cli.registries import Source, chosen, known, loaded, writable
from longshore.cli.text import Progress, clean, say, say_json
from longshore.config.load import Loaded
from longshore.core import places, spec, values
from longshore.core.entries import Entry
from longshore.core.places import joined
from longshore.core.registered_labels import PREFIX
from longshore.core.values import RefusedError, shown
from longshore.registries.hold import Holder, LeaseStatus

TTL = "30s"
WAIT = 30.0  # seconds until an entry that is not written is given up


def put(
    source: Source,
    service: Annotated[str, Parameter(name="SERVICE", help="The service it belongs to.")],
    address: Annotated[str, Parameter(name="HOST:PORT", help="Where it is reached.")],
    /,
    *,
    identity: Annotated[
        str, Parameter(name="--id", help="Tells it from others of the service. Default: HOST:PORT.")
    ] = "",
    weight: Annotated[int | None, Parameter(help="Its share of the traffic, 0 to 256.")] = None,
    label: Annotated[
        tuple[str, ...],
        Parameter(name="--label", negative="", help="KEY=VALUE, such as longshore.host=a.test. Any number."),
    ] = (),
    tag: Annotated[
        tuple[str, ...], Parameter(name="--tag", negative="", help="A word to find it by. Any number.")
    ] = (),
    zone: Annotated[str, Parameter(help="Where it is: a data centre, a rack.")] = "",
    ttl: Annotated[
        str, Parameter(show_default=True, help="How long the entry outlives this command if it is killed.")
    ] = TTL,
    detach: Annotated[
        str,
        Parameter(help="Write the entry, leave it to live for so long, and end. By default it is held until Ctrl-C."),
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Register an endpoint by hand, and hold the entry until Ctrl-C (or SIGTERM) withdraws it.

    The same entry written again from the same host takes over the one before. Entries of others are never overwritten.
    """
    found = loaded(config)
    reading = writable(chosen(known(found), source))
    entry = _entry(service, address, identity, weight, label, tag, zone)
    lives = seconds(detach or ttl)
    if not 2 <= lives <= 3600:
        raise End(USAGE, f"{detach or ttl}: an entry lives from 2s to 1h without being renewed", "like --ttl 30s")
    return asyncio.run(_hold(found, reading, entry, lives, detached=bool(detach), as_json=as_json))


def _entry(
    service: str,
    address: str,
    identity: str,
    weight: int | None,
    label: tuple[str, ...],
    tag: tuple[str, ...],
    zone: str,
) -> Entry:
    try:
        name = values.name(service)
        host, colon, port = address.rpartition(":")
        if not colon:
            raise RefusedError(f"{shown(address)} has no port", "write HOST:PORT, like 10.0.0.5:80 or [fd00::5]:80")
        where = places.machine(host), places.port(port)
        if weight is not None and not 0 <= weight <= 256:
            raise RefusedError(f"{weight} is no weight", "expected a whole number from 0 to 256")
        if zone:
            values.name(zone)
    except RefusedError as error:
        raise End(USAGE, str(error), error.hint) from None
    labels = dict(_label(each) for each in label)
    ours = {key.removeprefix(PREFIX): value for key, value in labels.items() if key.startswith(PREFIX)}
    if faults := spec.check(ours)[1]:
        said = [f"--label {PREFIX}{fault.key}: {fault.what}" if fault.key else fault.what for fault in faults]
        raise End(USAGE, "\n".join(said), faults[0].hint)
    return Entry(
        service=name,
        id=identity or joined(*where),
        host=where[0],
        port=where[1],
        name=identity or joined(*where),
        weight=weight,
        labels=tuple(sorted(labels.items())),
        tags=tag,
        zone=zone,
        owner=_owner(name, identity or joined(*where)),
        since=float(int(time.time())),
    )


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise End(USAGE, f"--label {text!r} is not KEY=VALUE", "like --label longshore.host=a.test")
    return key, value


def _owner(service: str, identity: str) -> str:
    """An owner for one entry only: what one `put` holds is no business of another."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    digest = hashlib.sha256(f"{socket.gethostname()}\0{service}\0{identity}".encode()).hexdigest()
    return f"{user}@{socket.gethostname()}.{digest[:8]}"


def put_by_hand(owner: str) -> bool:
    """Whether an owner is one of `put`: those of registrars are no users of a host."""
    return "@" in owner


async def _hold(found: Loaded, reading: Reading, entry: Entry, lives: float, *, detached: bool, as_json: bool) -> int:
    holder = holder_of(found, reading.name, entry.owner, lives)
    holder.want({f"{entry.service}/{entry.id}": entry})
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(holder.run())
    keep = False
    try:
        lease = await _until_held(holder, stop)
        if lease is None:
            return FINE
        keep = detached
        if as_json:
            said = {"key": lease.key, "ttl": lease.ttl, "detached": detached}
            say_json(json_of(lease.key, entry) | said)
        elif detached:
            say(f"{found_line(lease.key, entry)}: stands at {clean(lease.key)}, for {lives:g} s at most")
        else:
            say(f"{found_line(lease.key, entry)}: stands at {clean(lease.key)} until Ctrl-C")
        if not detached:
            await _report(holder, stop)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await holder.close(keep=keep)
    if not detached and not as_json:
        left = [lease for lease in holder.leases() if lease.state not in ("withdrawing",)]
        say(f"withdrawn: {entry.service}/{clean(entry.id)}" if not left else f"goes by itself within {lives:g} s")
    return FINE


async def _until_held(holder: Holder, stop: asyncio.Event) -> LeaseStatus | None:
    """Wait until the entry stands there; None if told to stop before."""
    progress = Progress()
    deadline = time.monotonic() + WAIT
    try:
        while not stop.is_set():
            lease = next(iter(holder.leases()), None)
            if lease and lease.state == "held":
                return lease
            error = lease.error if lease else ""
            if lease and lease.state == "refused":
                raise End(FINDING, f"it is not written: {error}", "`longshore registry ls` shows what stands there")
            if time.monotonic() > deadline:
                raise End(FINDING, f"not written within {WAIT:g} s: {error or 'no answer'}", "is the registry running?")
            if error:
                progress.show(f"waiting: {error}")
            await _pause(stop, 0.02)
    finally:
        progress.done()
    return None


async def _report(holder: Holder, stop: asyncio.Event) -> None:
    """Say when the entry is lost and when it stands again, until told to stop."""
    progress = Progress()
    while not stop.is_set():
        lease = next(iter(holder.leases()), None)
        progress.show("" if lease is None or lease.state == "held" else f"{lease.state}: {lease.error}")
        await _pause(stop, 0.5)
    progress.done()


async def _pause(stop: asyncio.Event, length: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(length):
            await stop.wait()
