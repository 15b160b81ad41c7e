"""The cases of *churn*: what happens to a service in its life, each under the same load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.stage import Stage


@dataclass(frozen=True)
class Case:
    """Something that happens while requests are sent. `do` returns when the balancer has come to rest."""

    name: str
    do: Callable[[Stage], None]
    copies: int = 4  # that serve when it begins
    env: tuple[tuple[str, object], ...] = ()  # of these copies
    cuts: bool = False  # the copies break off requests: a POST among them cannot be saved by anybody
    reloads: int = 0


def scale(stage: Stage) -> None:
    """One copy, ten copies, one copy."""
    stage.start(9)
    stage.stop(stage.copies[1:])
    stage.settle()


def roll(stage: Stage) -> None:
    """Replace every copy: first a new one, then the old one is stopped."""
    for old in list(stage.copies):
        stage.start()
        stage.stop([old])
    stage.settle()


def stop(seconds: int) -> Callable[[Stage], None]:
    """Stop all copies but one, one after the other; the engine kills what has not ended after so many seconds."""

    def do(stage: Stage) -> None:
        for old in stage.copies[1:]:
            stage.stop([old], seconds)
        stage.settle()

    return do


def kill(stage: Stage) -> None:
    """Kill all copies but one, one after the other, each in the middle of requests."""
    for old in stage.copies[1:]:
        stage.kill(old)
        stage.settle()


def restart_engine(stage: Stage) -> None:
    """Restart the engine; the containers live on. Afterwards it is followed again."""
    stage.engine.restart()
    stage.start()


def crash_engine(stage: Stage) -> None:
    """Kill the engine; the containers live on. Afterwards it is followed again."""
    stage.engine.kill9()
    stage.engine.start()
    stage.start()


def crash_agent(stage: Stage) -> None:
    """Kill longshore; meanwhile one copy comes and one goes. HAProxy serves alone, then a new longshore adopts it."""
    stage.balancer.kill9()
    new = stage.engine.run(labels=stage.copies[0].inspect()["Config"]["Labels"], env={"LOG": 1})
    stage.stop([stage.copies[0]])
    stage.copies.append(new)
    stage.balancer.start()
    stage.settle()


def reload(stage: Stage) -> None:
    """Reload HAProxy three times."""
    for _ in range(3):
        stage.balancer.api("/v1/reload", "POST", {"reason": "benchmark"})
    stage.settle()


CASES = (
    Case("scale 1 → 10 → 1", scale, copies=1),
    Case("rolling replace of 4", roll),
    Case("docker stop, closes at once", stop(10)),
    Case("docker stop, drains 3 s", stop(10), env=(("DRAIN", 3),)),
    Case("docker stop, ignores SIGTERM", stop(2), env=(("IGNORE", 1),)),
    Case("docker stop, drops its requests", stop(10), env=(("CLOSE", "hard"),), cuts=True),
    Case("SIGKILL", kill, cuts=True),
    Case("engine restart, live-restore", restart_engine),
    Case("engine kill -9", crash_engine),
    Case("agent kill -9 and back", crash_agent),
    Case("HAProxy reload, 3 times", reload, reloads=3),
)
