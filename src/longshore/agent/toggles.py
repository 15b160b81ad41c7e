"""Which items of services with `from-toggle` count: reads the documents, draws, and remembers over a restart.

    document ──fetch──▶ weights ──draw, when they are others──▶ a name ──▶ the items of that name count

Services with the same `from-toggle` share one draw. What cannot be read or understood, or names nobody that a service
knows, changes nothing and is said.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

from longshore.clients.faults import Fault
from longshore.config.document import parse
from longshore.config.load import Loaded
from longshore.config.toggle import FromToggle
from longshore.core.model import Problem, Service
from longshore.core.origins import Item
from longshore.core.toggle import Weights, draw, usual, weights
from longshore.core.values import RefusedError, shown

KEY = "toggles"  # among the state's extras
RETRY = 10.0  # most seconds until a document that cannot be read is looked at again
Fetch = Callable[[FromToggle], Awaitable[bytes]]


@dataclass(slots=True)
class _Document:
    """One document, and who listens to it."""

    weights: Weights | None = None  # as they were when was drawn
    drawn: str = ""
    services: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name -> names of its items
    fault: Problem | None = None


class Toggles:
    """All toggles of the configuration. `changed` is called with the services of which others count now."""

    def __init__(
        self,
        fetch: Fetch,
        changed: Callable[[Collection[str]], None],
        saved: Any = None,
        number: Callable[[int], int] = random.randrange,
    ) -> None:
        self._fetch, self._changed, self._number = fetch, changed, number
        self._documents: dict[FromToggle, _Document] = {}
        self._tasks: dict[FromToggle, asyncio.Task[None]] = {}
        known = saved if isinstance(saved, dict) else {}
        self._known: dict[str, Any] = known.get("drawn", {})  # by URL, of an earlier life
        self._chosen: dict[str, str] = dict(known.get("chosen", {}))  # service -> name

    def take(self, loaded: Loaded) -> None:
        """Follow the documents of this configuration, and no others."""
        wanted: dict[FromToggle, dict[str, tuple[str, ...]]] = {}
        for name, service in loaded.config.services.items():
            if service.from_toggle is not None:
                names = tuple(dict.fromkeys(item.as_ for item in service.origins if item.as_))
                wanted.setdefault(service.from_toggle, {})[name] = names
        for gone in self._documents.keys() - wanted.keys():
            del self._documents[gone]
            self._tasks.pop(gone).cancel()
        services = {name: names for each in wanted.values() for name, names in each.items()}
        self._chosen = {n: self._kept(n, names) for n, names in services.items()}
        for toggle, listening in wanted.items():
            if toggle not in self._documents:
                self._documents[toggle] = self._restored(toggle)
                self._tasks[toggle] = asyncio.create_task(self._follow(toggle), name=f"toggle {toggle.url}")
            self._documents[toggle].services = listening
            if self._documents[toggle].weights is not None:
                self._choose(self._documents[toggle])

    def counts(self, name: str, items: tuple[Item, ...], _parts: tuple[Service | None, ...]) -> Collection[int]:
        """Which items of a service count now: see `core.origins.Counts`."""
        if (chosen := self._chosen.get(name)) is None:
            return range(len(items))
        return [index for index, item in enumerate(items) if item.name == chosen]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with documents."""
        found = [document.fault for document in self._documents.values() if document.fault]
        for toggle, document in self._documents.items():
            for name, names in document.services.items():
                if document.drawn and document.drawn not in names:
                    what = f"says {shown(document.drawn)}, which is no item of service {name}"
                    hint = f"{self._chosen[name]} goes on; its items are named (`as`) {', '.join(names)}"
                    found.append(Problem(f"from-toggle {toggle.url}", what, hint, name))
        return tuple(found)

    def told(self) -> dict[str, Any]:
        """What to remember, as JSON."""
        drawn = {
            toggle.url: {"weights": dict(document.weights), "name": document.drawn}
            for toggle, document in self._documents.items()
            if document.weights is not None
        }
        return {KEY: {"drawn": drawn, "chosen": dict(self._chosen)}} if self._documents else {}

    async def close(self) -> None:
        """Stop looking."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _kept(self, service: str, names: tuple[str, ...]) -> str:
        before = self._chosen.get(service, "")
        return before if before in names else usual(names)

    def _restored(self, toggle: FromToggle) -> _Document:
        known = self._known.get(toggle.url)
        if not isinstance(known, dict):
            return _Document()
        try:
            return _Document(weights(known["weights"]), str(known["name"]))
        except (RefusedError, KeyError):
            return _Document()

    async def _follow(self, toggle: FromToggle) -> NoReturn:
        while True:
            document, wait = self._documents[toggle], toggle.interval
            try:
                found = self._weights(toggle, await self._fetch(toggle))
            except Fault as fault:
                wait = min(wait, RETRY)
                self._failed(toggle, document, fault.what, fault.hint)
            except RefusedError as refusal:
                self._failed(toggle, document, str(refusal), refusal.hint)
            else:
                self._read(document, found)
            await asyncio.sleep(wait * random.uniform(0.9, 1.0))  # noqa: S311  balancers do not look in step

    def _weights(self, toggle: FromToggle, content: bytes) -> Weights:
        document = parse(content, toggle.url)
        if document.problems:
            problem = document.problems[0]
            raise RefusedError(f"{problem.place}: {problem.text}", problem.hint)
        return weights(document.data)

    def _read(self, document: _Document, found: Weights) -> None:
        healed, document.fault = document.fault is not None, None
        if found != document.weights:
            document.weights, document.drawn = found, draw(found, self._number)
            if self._choose(document):
                return
        if healed:
            self._changed(())

    def _choose(self, document: _Document) -> bool:
        """Let what was drawn count, where it can; tell whether that is new for anybody."""
        able = {name for name, names in document.services.items() if document.drawn in names}
        news = {name for name in able if self._chosen[name] != document.drawn}
        self._chosen.update(dict.fromkeys(news, document.drawn))
        if news:
            self._changed(news)
        return bool(news)

    def _failed(self, toggle: FromToggle, document: _Document, what: str, hint: str) -> None:
        chosen = ", ".join(sorted({self._chosen[name] for name in document.services}))
        names = sorted(document.services)
        said = Problem(
            f"from-toggle {toggle.url}",
            what,
            f"{chosen} goes on for {', '.join(names)}; {hint}".removesuffix("; "),
            names[0] if len(names) == 1 else "",
        )
        if said != document.fault:
            document.fault = said
            self._changed(())
