"""`longshore wait`: until services are served. For scripts that deploy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from longshore.cli.ask import Ask, agent
from longshore.cli.durations import seconds
from longshore.cli.ending import FINDING, FINE, UNREACHABLE, USAGE, End
from longshore.cli.options import AsJson, ConfigFile, StateDir
from longshore.cli.text import Progress, plural, say, say_json

SLICE = 20.0  # seconds that one question waits for a change
RETRY = 0.2  # seconds between looks for an agent that is not there yet
TOLD = 5  # reasons that are told


def wait(
    *services: Annotated[str, Parameter(name="SERVICE[=N]", help="A service, and how many endpoints must be up (1).")],
    timeout: Annotated[str, Parameter(show_default=True, help="How long to wait at most: 30s, 2m.")] = "60s",
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Wait until each service has at least one endpoint up, or as many as said, and HAProxy serves them.

    Without a service: until longshore is ready, ports that it takes over from another HAProxy included. Services, and
    the agent itself, may appear while it waits. Ends with 1 when time is over, and says what it lacked: without a
    service also when services of the configuration are set aside, and no version of them is served.
    """
    wanted = _wanted(services)
    limit = seconds(timeout)
    lack, found = _until(agent(state_dir, config), wanted, limit)
    missing = [name for name, count in wanted.items() if found.get(name, 0) < count]
    if as_json:
        say_json(
            {
                "ready": not lack and not missing,
                "services": [{"name": n, "up": found.get(n, 0), "count": c} for n, c in wanted.items()],
            }
        )
    elif not missing:
        say(*(f"{name}: {plural(found.get(name, 0), 'endpoint')} up" for name in wanted))
    if missing:
        parts = [f"{name} has {found.get(name, 0)} of {wanted[name]} endpoints up" for name in missing]
        raise End(FINDING, f"waited {limit:g} s: {'; '.join(parts)}", "`longshore status` says why")
    if lack:
        raise End(FINDING, f"waited {limit:g} s: {lack}", "`longshore status` says why")
    return FINE


def _wanted(services: tuple[str, ...]) -> dict[str, int]:
    wanted = {}
    for service in services:
        name, equals, count = service.partition("=")
        if not name or (equals and not (count.isascii() and count.isdigit() and len(count) < 6)):
            raise End(USAGE, f"{service!r} is no SERVICE or SERVICE=N", "like: longshore wait shop-web=3")
        wanted[name] = int(count) if equals else 1
    return wanted


def _until(ask: Ask, wanted: Mapping[str, int], limit: float) -> tuple[str, dict[str, int]]:
    """What the balancer lacked in the end, "" if it was ready, and how many endpoints of each service were up."""
    deadline = time.monotonic() + limit
    progress = Progress()
    found: dict[str, int] = {}
    seq: int | None = None
    try:
        while True:
            left = deadline - time.monotonic()
            try:
                status = _status(ask, seq, min(SLICE, max(0.0, left)))
            except End as end:
                if end.code != UNREACHABLE or left <= 0:
                    raise
                seq, found = None, {}
                progress.show("waiting for the agent")
                time.sleep(min(RETRY, left))
                continue
            if status["haproxy"] is None:
                what = f"at {ask.path} a registrar answers: it balances nothing, so there is nothing to wait for"
                hint = "wait where the balancer runs (`longshore up`); `longshore status` shows what is registered here"
                raise End(FINDING, what, hint)
            seq = status["seq"]
            found = {service["name"]: _up(service) for service in status["services"] if service["name"] in wanted}
            lack = _lack(status, whole=not wanted)
            if left <= 0 or (not lack and all(found.get(name, 0) >= count for name, count in wanted.items())):
                return lack, found
            parts = [f"{n} {found.get(n, 0)}/{c}" if n in found else f"{n} unknown" for n, c in wanted.items()]
            early = [": ".join(lack.splitlines()[:2])] if lack else []
            progress.show(f"waiting: {', '.join([*early, *parts])}")
    finally:
        progress.done()


def _lack(status: Any, *, whole: bool) -> str:
    """What keeps it from being ready, and why; with `whole`, services that are set aside do too."""
    if not status["ready"]:
        what, why = "longshore is not ready", [f"it waits for {each}" for each in status.get("waits_for", ())]
    elif whole and status.get("unserved"):
        unserved = status["unserved"]
        what = f"not served: {', '.join(unserved)}"
        why = [f"{each['where']}: {each['what']}" for each in status["problems"] if each["service"] in unserved]
    else:
        return ""
    return "\n".join([what, *why[:TOLD], *([f"and {len(why) - TOLD} more"] if len(why) > TOLD else [])])


def _status(ask: Ask, seq: int | None, timeout: float) -> Any:
    query = {} if seq is None else {"after": seq, "timeout": f"{timeout:.3f}"}
    return ask.get("/v1/status", query, timeout=timeout + 30.0)


def _up(service: Any) -> int:
    return sum(endpoint["state"] == "up" for endpoint in service["endpoints"])
