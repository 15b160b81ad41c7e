"""Host names of fixed endpoints, looked up in the background again and again.

A look-up may hang for many seconds, so each runs in a thread of its own. An answer holds until the next one; a failure
keeps the last address and says so. Of several addresses one is used, the same one for as long as it is among the
answers, IPv4 first.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from longshore.sources.blocking import in_thread

Lookup = Callable[[str], tuple[str, ...]]
Ask = Callable[[str, str], Awaitable[tuple[str, ...]]]  # a name, and who to ask: "10.0.0.2:53,10.0.0.3:53"
REFRESH = 10.0  # seconds between look-ups of a name that resolves
FIRST_RETRY = 1.0  # seconds until a name that does not resolve is tried again; doubles up to REFRESH
AT_ONCE = 32  # look-ups that may be under way together


def lookup(host: str) -> tuple[str, ...]:
    """Ask the system's resolver, IPv4 first. Raises OSError, of which the message says why."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    order = {socket.AF_INET: 0, socket.AF_INET6: 1}
    usable = sorted((entry for entry in found if entry[0] in order), key=lambda entry: order[entry[0]])
    addresses = [str(entry[4][0]) for entry in usable]
    return tuple(dict.fromkeys(address for address in addresses if "%" not in address))


class Names:
    """Addresses of wanted names. `changed` is set whenever an address or a failure is new.

    "vm1.internal" is asked of the system's resolver, "vm1.internal@10.0.0.2:53" of this nameserver (`ask`).
    """

    def __init__(
        self,
        *,
        known: Mapping[str, str] | None = None,
        lookup: Lookup = lookup,
        refresh: float = REFRESH,
        ask: Ask | None = None,
    ) -> None:
        self.addresses: dict[str, str] = dict(known or {})  # the last good address of each name
        self.failures: dict[str, str] = {}  # why a name does not resolve now
        self.changed = asyncio.Event()
        self._lookup, self._refresh, self._ask = lookup, refresh, ask
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<Names {len(self._tasks)} wanted, {len(self.failures)} failing>"

    def want(self, names: Iterable[str]) -> None:
        """Look these names up from now on, and no others. What is known of others is kept, should they come back."""
        wanted = set(names)
        for name in self._tasks.keys() - wanted:
            self._tasks.pop(name).cancel()
            self.failures.pop(name, None)
        for name in wanted - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._follow(name), name=f"look up {name}")

    async def close(self) -> None:
        """Stop looking up."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, name: str) -> None:
        retry = FIRST_RETRY
        while True:
            try:
                async with self._room:
                    found = await self._found(name)
            except (OSError, UnicodeError) as error:
                self._failed(name, getattr(error, "strerror", None) or str(error))
                await asyncio.sleep(retry)
                retry = min(retry * 2, self._refresh)
            else:
                self._answered(name, found)
                retry = FIRST_RETRY
                await asyncio.sleep(self._refresh)

    async def _found(self, name: str) -> tuple[str, ...]:
        host, at, servers = name.partition("@")
        if at and self._ask is not None:
            return await self._ask(host, servers)
        return await in_thread(partial(self._lookup, name), f"look up {name}")

    def _answered(self, name: str, found: tuple[str, ...]) -> None:
        if not found:
            self._failed(name, "the answer has no address")
            return
        healed = self.failures.pop(name, None) is not None
        if self.addresses.get(name) not in found:
            self.addresses[name] = found[0]
            self.changed.set()
        elif healed:
            self.changed.set()

    def _failed(self, name: str, why: str) -> None:
        if self.failures.get(name) != why:
            self.failures[name] = why
            self.changed.set()
