"""The five minutes of the README: examples/shop with real Compose behind longshore."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import compose
from tests.lab.balancer import Balancer
from tests.lab.engine import WEB, Engine

pytestmark = pytest.mark.system

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def test_the_example_is_served_scales_and_loses_a_copy(engine: Engine, balance: Callable[..., Balancer]) -> None:
    """As the README tells it: three copies, then six, one stopped, then two; without a reload for any of that."""

    def run(*arguments: str) -> None:
        command = [str(compose.binary()), *arguments]
        env = {**os.environ, "DOCKER_HOST": engine.host, "IMAGE": WEB, "COMPOSE_ANSI": "never"}
        done = subprocess.run(command, cwd=SHOP, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    run("up", "--detach", "--scale", "web=3")
    balancer = balance(engine=engine)
    assert balancer.command("wait", "shop-web=3", "shop-api").returncode == 0
    assert [each["name"] for each in balancer.status()["services"]] == ["shop-api", "shop-web"]
    copies = balancer.serves("shop.localhost", 3)
    assert balancer.serves("shop.localhost", 1, "/api").isdisjoint(copies)
    reloads = balancer.reloads
    run("up", "--detach", "--scale", "web=6")
    balancer.serves("shop.localhost", 6)
    run("stop", "--timeout", "1", "api")
    balancer.until_up("shop-api", 0)
    run("up", "--detach", "--scale", "web=2")
    balancer.serves("shop.localhost", 2)
    balancer.serves("shop.localhost", 1, "/api")
    assert balancer.reloads == reloads
    run("down", "--timeout", "1")
