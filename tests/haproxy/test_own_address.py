"""Addresses of this machine are known without a list of its interfaces."""

from __future__ import annotations

import pytest

from longshore.haproxy.own_address import own_address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1"])
def test_loopback_is_this_machine(address: str) -> None:
    assert own_address(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "vm1.internal", ""])
def test_others_are_not(address: str) -> None:
    """Those of documentation are nobody's."""
    assert not own_address(address)
