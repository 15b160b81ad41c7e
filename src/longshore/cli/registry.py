"""`longshore registry ls` and `registry watch`: what stands in registries, and what changes there."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from longshore.agent.registry_read import Reading, listing
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.entry_lines import as_json as json_of
from longshore.cli.entry_lines import by_service, found_line, listing_json, listing_lines
from longshore.cli.options import AsJson, ConfigFile
from longshore.cli.registries import chosen, known, loaded
from longshore.cli.text import clean, clock, paint, say, say_json
from longshore.clients.registry_faults import RegistryError
from longshore.core.inventory import Change, Inventory
from longshore.core.registered_entry import Value
from longshore.sources.registered import Patience, stream

OneOrAll = Annotated[
    str, Parameter(name="SOURCE", help="A registry among the configuration's `sources`, by its name. Default: all.")
]


def ls(
    source: OneOrAll = "",
    service: Annotated[str, Parameter(name="SERVICE", help="Only this service.")] = "",
    /,
    *,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """List what stands in the configuration's registries: who keeps each entry, since when, what is wrong with it.

    Asks the registries themselves; no agent is needed. Ends with 1 if one cannot be read, or the service is nowhere.
    """
    registries = known(loaded(config))
    some = [chosen(registries, source)] if source else list(registries.values())
    answers = asyncio.run(_all(some))
    if as_json:
        say_json({"registries": [_json(reading, found, service) for reading, found in zip(some, answers, strict=True)]})
    else:
        for number, (reading, found) in enumerate(zip(some, answers, strict=True)):
            say(*([""] if number else []), *_lines(reading, found, service))
    if any(isinstance(found, RegistryError) for found in answers):
        return FINDING
    inventories = [found for found in answers if isinstance(found, Inventory)]
    services = {name for found in inventories for name in (*by_service(found.entries), *found.settings)}
    if service and service not in services:
        raise End(
            FINDING, f"no service {service} is registered", f"registered: {', '.join(sorted(services)[:20]) or 'none'}"
        )
    return FINE


def watch(source: OneOrAll = "", /, *, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show what stands in the configuration's registries, then every change, until Ctrl-C.

    `+` came, `~` changed, `-` went. A registry that cannot be reached is said and tried again. With --json each line is
    one JSON object.
    """
    registries = known(loaded(config))
    some = [chosen(registries, source)] if source else list(registries.values())
    asyncio.run(_watch(some, as_json=as_json))
    return FINE


async def _all(some: list[Reading]) -> list[Inventory | RegistryError]:
    return await asyncio.gather(*map(read, some))


async def read(reading: Reading) -> Inventory | RegistryError:
    """Read one registry; trouble is an answer too."""
    inventory = Inventory(reading.options)
    try:
        inventory.replace(await listing(reading.adapter()))
    except RegistryError as error:
        return error
    return inventory


def _lines(reading: Reading, found: Inventory | RegistryError, service: str) -> list[str]:
    if isinstance(found, Inventory):
        return listing_lines(found, reading.options, reading.source.type, service)
    hint = [f"  {clean(found.hint)}"] if found.hint else []
    return [f"{paint(clean(reading.name), 'bold')}: {paint(clean(found.what), 'red')}", *hint]


def _json(reading: Reading, found: Inventory | RegistryError, service: str) -> dict[str, Any]:
    if isinstance(found, Inventory):
        return listing_json(found, reading.options, reading.source.type, service) | {"error": None}
    return {"name": reading.name, "type": reading.source.type, "error": found.what, "hint": found.hint}


async def _watch(some: list[Reading], *, as_json: bool) -> None:
    """Tell changes until SIGINT or SIGTERM, also where a shell has had SIGINT ignored."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as group:
        streams = [
            group.create_task(
                stream(Watching(reading, _tell_json if as_json else _tell), reading.adapter(), Patience())
            )
            for reading in some
        ]
        await told.wait()
        for task in streams:
            task.cancel()


Tell = Callable[[str, Change | RegistryError], None]


class Watching:
    """Tells every change of one registry."""

    def __init__(self, reading: Reading, tell: Tell) -> None:
        self._inventory = Inventory(reading.options)
        self._name, self._tell = reading.name, tell
        self._trouble = ""

    def replace(self, found: Mapping[str, Value]) -> None:
        """Take the whole content."""
        self._inventory.replace(found)
        self._trouble = ""

    def put(self, key: str, value: Value) -> None:
        """Take one key."""
        self._inventory.put(key, value)

    def delete(self, key: str) -> None:
        """Forget one key."""
        self._inventory.delete(key)

    def published(self) -> None:
        """Tell what is different."""
        for change in sorted(self._inventory.changes(), key=lambda change: change.key):
            self._tell(self._name, change)
        sys.stdout.flush()

    def broke(self, error: RegistryError) -> bool:
        """Tell what is wrong, once."""
        news, self._trouble = self._trouble != error.what, error.what
        if news:
            self._tell(self._name, error)
            sys.stdout.flush()
        return news


def _tell(name: str, news: Change | RegistryError) -> None:
    at = clock(time.time())
    if isinstance(news, RegistryError):
        say(
            f"{at}  {clean(name)}  {paint('!', 'red')} {clean(news.what)}" + (f"; {clean(news.hint)}" * bool(news.hint))
        )
        return
    found = news.after or news.before
    sign = "~" if news.before and news.after else "+" if news.after else "-"
    assert found is not None
    say(f"{at}  {clean(name)}  {paint(sign, 'red' if sign == '-' else 'green')} {found_line(news.key, found)}")


def _tell_json(name: str, news: Change | RegistryError) -> None:
    said: dict[str, Any] = {"at": time.time(), "source": name}
    if isinstance(news, RegistryError):
        said |= {"error": news.what, "hint": news.hint}
    else:
        sides = {"before": news.before, "after": news.after}
        said |= {"key": news.key} | {side: json_of(news.key, was) if was else None for side, was in sides.items()}
    print(json.dumps(said, ensure_ascii=False))
