"""`longshore register`: what it refuses before it starts, whose configuration it reads, and signals at the start."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from longshore.agent.register_life import RegisterLife
from longshore.cli.register import Run
from longshore.config import load
from tests.cli.conftest import Command
from tests.lab.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "nerve"
NERVE = """{"instance_id": "i-1", "services": {"web": {"host": "10.0.0.5", "port": 80, "zk_hosts": ["zk1:2181"],
 "zk_path": "/nerve/web", "checks": [{"type": "tcp"}]}}}"""


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


async def test_a_sighup_at_the_start_is_not_lost(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a handler it would end the process: it is there before anything is prepared."""
    config = state / "longshore.yaml"
    config.write_text(f"state-dir: {state}\nsources: {{etcd: {{}}}}\nregister: {{containers: false}}\n")
    prepared, rereadings = asyncio.Event(), list[str]()
    prepare = RegisterLife.prepare

    async def slowly(life: RegisterLife) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await prepare(life)
        prepared.set()

    async def reread(_: RegisterLife) -> str:
        rereadings.append("read again")
        return ""

    monkeypatch.setattr(RegisterLife, "prepare", slowly)
    monkeypatch.setattr(RegisterLife, "reread", reread)
    run = Run(load(config, {}), lambda: load(config, {}), keep=False, admin="")
    running = asyncio.create_task(run.run())
    await prepared.wait()
    await eventually(lambda: rereadings)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0


@pytest.fixture
def nerve(state: Path) -> Path:
    """A configuration of Nerve's, that lacks nothing."""
    path = state / "nerve.conf.json"
    path.write_text(NERVE)
    return path


def test_nerve_s_configuration_is_checked(nerve: Path, command: Command) -> None:
    ended = command("check", "--nerve", str(nerve))
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"{nerve}: fine")
    nerve.write_text(NERVE.replace("tcp", "sql"))
    ended = command("check", "--nerve", str(nerve))
    assert ended.code == 1
    assert f"{nerve}:2:47" in ended.out


@pytest.mark.parametrize("variable", [pytest.param("NERVE_CONFIG", id="A3 NERVE_CONFIG")])
def test_its_environment_names_it_where_no_other_is_said(
    variable: str, nerve: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(nerve))
    assert command("check").out.splitlines()[-1] == f"{nerve}: fine"
    ours = nerve.with_name("ours.yaml")
    ours.write_text("frontends: {http: ':8080'}\n")
    assert command("check", "--config", str(ours)).out.splitlines()[-1] == f"{ours}: fine"


@pytest.mark.parametrize("variable", [pytest.param("NERVE_CHECK_CONFIG", id="A3 NERVE_CHECK_CONFIG, -k")])
def test_its_environment_may_ask_for_a_check_alone(
    variable: str, nerve: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "true")
    monkeypatch.setattr("asyncio.run", lambda work: pytest.fail("it started"))
    ended = command("register", "--nerve", str(nerve))
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"{nerve}: fine")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--instance-id", "i-2"), "--instance-id: has a meaning with --nerve only"),
        (("--config-overlay", "x.json"), "--config-overlay: has a meaning with --nerve only"),
        (("--nerve", "n.json", "--config", "c.yaml"), "--nerve and --config: only one configuration can be read"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(arguments: tuple[str, ...], problem: str, command: Command) -> None:
    for name in ("check", "register"):
        ended = command(name, *arguments)
        assert ended.code == 2
        assert problem in ended.err


def test_the_example_is_fine(command: Command) -> None:
    assert command("check", "--nerve", str(EXAMPLE / "nerve.conf.json")).code == 0
    assert command("import", "nerve", str(EXAMPLE), "--check").code == 0


def test_nerve_s_configuration_is_printed_as_ours(nerve: Path, command: Command) -> None:
    ended = command("import", "nerve", str(nerve), "--instance-id", "i-2")
    assert ended.code == 0
    ours = nerve.with_name("ours.yaml")
    ours.write_text(ended.out)
    found = load(ours, {}).config.register_
    assert found is not None
    assert (found.name, found.services["web"].id, found.services["web"].path) == ("i-2", "i-2", "/nerve/web")
