"""Addresses that services ask for and that another program has: left out, said, and tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from longshore.core.model import Problem, Service
from longshore.haproxy.faults import BusyAddress

AGAIN = 5.0  # seconds until a busy address is looked at again


class Ports:
    """Remembers which addresses are taken by strangers. Addresses HAProxy listens on already are ours."""

    def __init__(self, busy: Callable[[list[str]], list[BusyAddress]]) -> None:
        """`busy` tells which of some addresses other programs listen on."""
        self._busy = busy
        self.taken: dict[str, str] = {}  # address -> who has it
        self._looked: dict[str, float] = {}

    def look(self, services: Iterable[Service], ours: frozenset[str], now: float) -> dict[str, str]:
        """The addresses among those the services want that cannot be had, with who has them."""
        wanted = {r.listen for s in services for r in s.routes if r.listen} - ours
        ask = [a for a in sorted(wanted) if now - self._looked.get(a, -AGAIN) >= AGAIN]
        if ask:
            found = {b.address: b.why for b in self._busy(ask)}
            for address in ask:
                self._looked[address] = now
                self.taken.pop(address, None)
                if address in found:
                    self.taken[address] = found[address]
        self.taken = {a: why for a, why in self.taken.items() if a in wanted}
        return self.taken

    def problems(self, services: Iterable[Service]) -> tuple[Problem, ...]:
        """What people must know of the taken addresses."""
        return tuple(
            Problem(
                f"service {service.name}",
                f"cannot listen on {route.listen}: {self.taken[route.listen]}",
                "Stop that program or choose another address; it is tried again every few seconds.",
                service.name,
            )
            for service in (services if self.taken else ())
            for route in service.routes
            if route.listen in self.taken
        )
