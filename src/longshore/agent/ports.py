"""Addresses that services or frontends ask for and that another program has: left out, said, and tried again.

What another HAProxy has and shares is left out until it is among those that are joined: see `agent.sharing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from longshore.core.frontend import Frontend
from longshore.core.model import Problem, Service
from longshore.core.raw import RawProcess
from longshore.core.raw_addresses import without
from longshore.haproxy.faults import BusyAddress

AGAIN = 5.0  # seconds until a busy address is looked at again


class Ports:
    """Remembers which addresses are taken by strangers. Addresses HAProxy listens on already are ours."""

    def __init__(self, busy: Callable[[list[str]], list[BusyAddress]]) -> None:
        """`busy` tells which of some addresses other programs listen on."""
        self._busy = busy
        self.taken: dict[str, str] = {}  # address -> who has it
        self.shared: dict[str, str] = {}  # address -> who has it and would share it
        self.joins: set[str] = set()  # those of them that are to be listened on all the same
        self._looked: dict[str, float] = {}

    def look(
        self,
        services: Iterable[Service],
        frontends: Iterable[Frontend],
        ours: frozenset[str],
        now: float,
        *,
        own: Collection[str] = (),
        starting: bool = False,
    ) -> dict[str, str]:
        """The addresses among those wanted that cannot be had, with who has them.

        `own`: those of sections of the operator's own. `starting`: an address of these or of a frontend that a stranger
        has and does not share is the end; HAProxy's start says so.
        """
        fixed = {b.address for f in frontends for b in f.binds} | set(own)
        wanted = ({r.listen for s in services for r in s.routes if r.listen} | fixed) - ours
        ask = [a for a in sorted(wanted) if now - self._looked.get(a, -AGAIN) >= AGAIN]
        if ask:
            found = self._busy(ask)
            for address in ask:
                self._looked[address] = now
                self.taken.pop(address, None)
                self.shared.pop(address, None)
            for each in found:
                if each.shared:
                    self.shared[each.address] = each.owner
                elif not starting or each.address not in fixed:
                    self.taken[each.address] = each.why
        self.taken = {a: why for a, why in self.taken.items() if a in wanted}
        self.shared = {a: why for a, why in self.shared.items() if a in wanted}
        return self.out

    @property
    def out(self) -> dict[str, str]:
        """The addresses that are not listened on now, with who has them."""
        return {**self.taken, **self._left()}

    def free(self, frontends: tuple[Frontend, ...]) -> tuple[Frontend, ...]:
        """The frontends, as far as their addresses can be had."""
        if not (out := self.out):
            return frontends
        rest = (replace(f, binds=tuple(b for b in f.binds if b.address not in out)) for f in frontends)
        return tuple(frontend for frontend in rest if frontend.binds)

    def joined(self, raw: RawProcess) -> RawProcess:
        """The operator's own sections, as far as they may listen where others do."""
        return without(raw, self._left())

    def problems(self, services: Iterable[Service], frontends: Iterable[Frontend]) -> tuple[Problem, ...]:
        """What people must know of the taken addresses."""
        if not self.taken:
            return ()
        wanted = [(f"service {s.name}", r.listen, s.name) for s in services for r in s.routes]
        wanted += [(f"frontend {f.name}", bind.address, "") for f in frontends for bind in f.binds]
        return tuple(
            Problem(
                where,
                f"cannot listen on {address}: {self.taken[address]}",
                "Stop that program or choose another address; it is tried again every few seconds.",
                service,
            )
            for where, address, service in wanted
            if address in self.taken
        )

    def _left(self) -> dict[str, str]:
        return {address: who for address, who in self.shared.items() if address not in self.joins}
