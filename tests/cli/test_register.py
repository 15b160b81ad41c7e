"""`longshore register`: what it refuses before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.mark.parametrize("address", ["foo", "foo:80", ":0x", "127.0.0.1"])
def test_an_admin_address_that_is_none_is_wrong_usage(
    address: str, state: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = state / "longshore.yaml"
    config.write_text("sources: {etcd: {}}\nregister: {containers: false}\n")
    monkeypatch.setattr("asyncio.run", lambda work: pytest.fail("it started"))
    ended = command("register", "--config", str(config), "--admin", address)
    assert ended.code == 2
    assert "--admin: " in ended.err
