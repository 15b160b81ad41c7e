"""A registrar's hand in etcd clusters that fail: away, without a leader, without a quorum, without permission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.etcd import Etcd
from tests.lab.etcd_hand import entry, holder_of, running, until_state, until_there, wish, written
from tests.lab.etcd_sight import PREFIX
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system


async def test_a_registry_that_is_away_is_waited_for_and_caught_up_with(own_network: None) -> None:
    """Away at the start; then away until the lease has run out: what was wanted meanwhile is registered after it."""
    one, two = entry("one"), entry("two")
    with Etcd("3.5") as etcd:
        etcd.stop(0)
        async with running(holder := holder_of(etcd, ttl=2)):
            holder.want(wish(one))
            await eventually(lambda: "refuses connections" in holder.leases()[0].error)
            assert holder.leases()[0].state == "registering"
            etcd.start(0)
            await until_there(etcd, one)
            etcd.stop(0)
            await until_state(holder, one="lost")
            holder.want(wish(one, two))
            etcd.start(0)
            await until_there(etcd, one, two)
            told = await until_state(holder, one="held", two="held")
            assert not told["one"].error


async def test_the_leader_dies_and_nothing_has_to_be_written_again(own_network: None) -> None:
    """A new leader gives every lease its whole TTL again; then the quorum is lost, and comes back."""
    one, two = entry("one"), entry("two")
    with Etcd("3.4", size=3) as etcd:
        async with running(holder := holder_of(etcd)):
            holder.want(wish(one))
            await until_there(etcd, one)
            before = etcd.revisions(PREFIX)
            leader = etcd.leader()
            etcd.kill(leader)
            holder.want(wish(one, two))
            await until_there(etcd, one, two)
            second = etcd.leader()
            etcd.kill(second)
            holder.want(wish(one))
            await eventually(lambda: any(lease.error for lease in holder.leases()))
            etcd.start(leader, wait=False)
            etcd.start(second, wait=False)
            await until_there(etcd, one)
            await until_state(holder, one="held")
            assert etcd.revisions(PREFIX) == before


async def test_a_user_without_rights_is_told_for_each_entry(own_network: None, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    user: dict[str, Any] = {"username": "shop", "password-file": str(tmp_path / "password")}
    with Etcd("3.5") as etcd:
        etcd.secure("of root", users={"shop": ("secret", f"{PREFIX}/web/")})
        one, other = entry("one"), entry("other", service="bank")
        async with running(holder := holder_of(etcd, **user)):
            holder.want(wish(one, other))
            told = await until_state(holder, one="held", other="refused")
            assert "does not permit it" in told["other"].error
            assert etcd.keys(PREFIX) == written(one)
        await holder.close(keep=False)
        assert not etcd.keys(PREFIX)
