"""`longshore registry rm`: entries removed by hand, unless somebody would write them again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from longshore.agent.registry_read import Reading
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.options import AsJson, ConfigFile
from longshore.cli.registries import Source, chosen, known, loaded, trouble
from longshore.cli.registry import read
from longshore.cli.registry_put import put_by_hand
from longshore.cli.text import clean, say, say_json
from longshore.clients.registry_faults import RegistryError
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.core.entries import Entry, is_copy
from longshore.core.inventory import Inventory
from longshore.registries.remove import ConsulRemover, EtcdRemover, Remover, ZooKeeperRemover

Target = Annotated[
    str,
    Parameter(name="ENTRY", help="SERVICE/ID; SERVICE for all of its entries; or a whole key: /path/of/it."),
]


def rm(
    source: Source,
    target: Annotated[
        str,
        Parameter(name="ENTRY", help="SERVICE/ID; SERVICE for all of its entries; or a whole key: /path/of/it."),
    ],
    /,
    *,
    force: Annotated[
        bool, Parameter(negative="", help="Remove also what somebody keeps alive, who will write it again.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Remove entries from a registry.

    What a living registrar keeps (under a lease, by a session) would be written again: it is left, unless --force is
    said. End the registrar, or stop the container, instead.
    """
    reading = chosen(known(loaded(config)), source)
    return asyncio.run(_remove(reading, target, force=force, as_json=as_json))


async def _remove(reading: Reading, target: str, *, force: bool, as_json: bool) -> int:
    found = await read(reading)
    if isinstance(found, RegistryError):
        raise trouble(found)
    keys = _keys(found, target)
    remover = remover_of(reading.source)
    try:
        kept = {} if force else await remover.kept(keys)
        gone = await remover.remove([key for key in keys if key not in kept])
    except RegistryError as error:
        raise trouble(error) from None
    left = {key: f"{_keeper(found, key)} {how}" for key, how in kept.items()}
    if as_json:
        say_json({"removed": gone, "left": left})
        return FINDING if left else FINE
    say(*(f"removed {clean(key)}" for key in gone))
    if left:
        lines = "\n".join(f"left {key}: {why}" for key, why in left.items())
        raise End(FINDING, lines, f"{_again(found, left)}, or say --force")
    return FINE


def _again(found: Inventory, keys: Iterable[str]) -> str:
    """What becomes of entries that are left, and what to do: one that `put` left behind is not written again."""
    entries = [found.found.get(key) for key in keys]
    by_hand = [isinstance(entry, Entry) and put_by_hand(entry.owner) for entry in entries]
    if all(by_hand):
        return "if it was put with --detach it goes by itself; else end the `longshore registry put` that holds it"
    return "it would be written again; end its registrar" + (" or `longshore registry put`" if any(by_hand) else "")


def _keeper(found: Inventory, key: str) -> str:
    entry = found.found.get(key)
    if not isinstance(entry, Entry) or not entry.owner:
        return "somebody keeps it"
    if put_by_hand(entry.owner):
        return f"{entry.owner} put it there by hand,"
    return f"longshore sync ({entry.owner}) keeps it" if is_copy(entry) else f"{entry.owner} keeps it"


def _keys(found: Inventory, target: str) -> list[str]:
    if target.startswith("/"):
        if target in found.found:
            return [target]
        raise End(
            FINDING, f"nothing that the source reads stands at {target}", "`longshore registry ls` lists the keys"
        )
    service, slash, identity = target.partition("/")
    if not service or (slash and not identity):
        raise End(USAGE, f"{target!r} names no entry", "expected SERVICE or SERVICE/ID, like web/10.0.0.5:80")
    entries = {key: entry for key, entry in found.entries.items() if entry.service == service}
    if not entries:
        names = sorted({entry.service for entry in found.entries.values()})
        raise End(FINDING, f"no service {service} is registered", f"registered: {', '.join(names[:20]) or 'none'}")
    keys = [key for key, entry in entries.items() if not slash or entry.id == identity]
    if not keys:
        names = sorted({entry.id for entry in entries.values()})
        raise End(FINDING, f"service {service} has no entry {identity}", f"it has: {', '.join(names[:20])}")
    return keys


def remover_of(source: Registry) -> Remover:
    """Make what removes from this registry."""
    match source:
        case EtcdSource():
            return EtcdRemover(source)
        case ZookeeperSource():
            return ZooKeeperRemover(source)
        case ConsulSource():
            return ConsulRemover(source)
