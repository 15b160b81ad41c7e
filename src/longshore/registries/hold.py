"""The writing side's contract: keep exactly the wanted entries registered, for as long as we live.

A `Holder` is one registrar's hand in one registry. It is told what is wanted, and works by itself until that stands
there under a lease (etcd), a session (ZooKeeper) or TTL checks (Consul).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from longshore.core.entries import Entry

LeaseState = Literal["registering", "held", "withdrawing", "lost", "refused"]
"""`registering`: wanted, not there yet; `held`: there, and renewed; `withdrawing`: not wanted, still there;
`lost`: the registry cannot be reached, it may be gone; `refused`: the registry will not take it (`error` says why)."""

MOST_WRITES = 16
"""Writes of one holder that may be under way together."""


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """How one entry stands, for `status`."""

    service: str
    id: str
    key: str  # where it is written: key, path or service ID
    registry: str  # name of the source it is written to
    state: LeaseState
    since: float  # Unix seconds when this state began
    ttl: float  # seconds that it lives on without us
    error: str = ""


class Holder(Protocol):
    """Keeps one owner's entries in one registry."""

    def want(self, entries: Mapping[str, Entry]) -> None:
        """Say what must stand there from now on: all of it, by "<service>/<id>". Cheap; the latest counts.

        Every entry's `owner` is the holder's. Before the first call nothing is written and nothing removed: an empty
        mapping is a wish, no wish is not.
        """

    async def run(self) -> None:
        """Work until cancelled. Registry trouble is waited out, said in `leases`, never raised.

        - Entries of our owner left by an earlier run are adopted where wanted (one entry never stands twice), else
          removed. Entries of others are never touched, whatever their key.
        - An entry no longer wanted is deleted at once and by itself, it does not wait for its TTL.
        - After a lost lease, session or registry everything wanted is written again: with jitter, at most
          `MOST_WRITES` at once; what stands there unchanged is not written again.
        """

    def leases(self) -> tuple[LeaseStatus, ...]:
        """Tell how each entry stands: the wanted ones, and those that are still being withdrawn."""

    def trouble(self) -> str | None:
        """Why the registry cannot be used now: "" if it can be, None before that is known."""

    async def close(self, *, keep: bool) -> None:
        """End, after `run` was cancelled. Withdraws everything; with `keep` leaves it to its TTL or the next run."""
