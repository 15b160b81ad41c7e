"""Commands that change something in the running agent: `drain`, `ready`, `weight`, `thaw`, `reload`, `mend`.

What they say about endpoints holds until it is taken back, over restarts of longshore and of HAProxy too.
"""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from longshore.cli.ask import agent
from longshore.cli.ending import FINDING, FINE, USAGE, End
from longshore.cli.options import AsJson, ConfigFile, StateDir
from longshore.cli.text import clean, plural, say, say_json

Target = Annotated[
    str, Parameter(help="A service, or one endpoint of it as SERVICE/ENDPOINT. `longshore status` lists both.")
]


def drain(
    target: Target,
    /,
    *,
    maint: Annotated[bool, Parameter(negative="", help="Take it out for everybody, sticky clients too.")] = False,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Take an endpoint, or all of a service, out of rotation. Running requests finish; sticky clients may still come.

    With --maint nobody comes any more. `longshore ready` takes either back.
    """
    asked = _target(target) | ({"maint": True} if maint else {})
    return _changed(agent(state_dir, config).post("/v1/drain", asked), as_json=as_json)


def ready(target: Target, /, *, as_json: AsJson = False, state_dir: StateDir = None, config: ConfigFile = None) -> int:
    """Put an endpoint, or all of a service, back into rotation."""
    return _changed(agent(state_dir, config).post("/v1/ready", _target(target)), as_json=as_json)


def weight(
    target: Target,
    value: Annotated[str, Parameter(name="WEIGHT", help="0 to 256, relative to the others; `default` takes it back.")],
    /,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Set the weight of an endpoint, or of all endpoints of a service. 0 gets no new requests."""
    number = None
    if value != "default":
        if not (value.isascii() and value.isdigit() and len(value) < 4 and int(value) <= 256):
            raise End(USAGE, f"{value} is no weight", "expected a whole number from 0 to 256, or `default`")
        number = int(value)
    answer = agent(state_dir, config).post("/v1/weight", _target(target) | {"weight": number})
    return _changed(answer, as_json=as_json)


def thaw(
    source: Annotated[str, Parameter(help="The frozen source. `longshore status` says which is, and what it keeps.")],
    /,
    *,
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Accept that endpoints are gone that vanished from a registry together.

    When most endpoints of a registry vanish at once, those that still answer stay in use: the source is frozen. If they
    are meant to go, thaw it. Endpoints that come back, or stop answering, need no thaw.
    """
    return _changed(agent(state_dir, config).post("/v1/thaw", {"source": source}), as_json=as_json)


def reload(
    *,
    reason: Annotated[str, Parameter(help="Why; it is written into the journal.")] = "an operator asked for it",
    as_json: AsJson = False,
    state_dir: StateDir = None,
    config: ConfigFile = None,
) -> int:
    """Read the configuration file again and reload HAProxy, without losing a request."""
    answer = agent(state_dir, config).post("/v1/reload", {"reason": reason}, timeout=300.0)
    if as_json:
        say_json(answer)
    else:
        say(clean(answer["what"]))
    return FINE


def mend(*, as_json: AsJson = False, state_dir: StateDir = None, config: ConfigFile = None) -> int:
    """Compare HAProxy with what it should run, and mend what somebody else changed.

    The agent does the same by itself now and then. Ends with 1 if something could not be mended.
    """
    answer = agent(state_dir, config).post("/v1/mend", {})
    found = answer["drift"]
    if as_json:
        say_json(answer)
    elif not found:
        say("HAProxy runs exactly what it should")
    else:
        say(f"{plural(len(found), 'difference')} found")
        say(*(f"  {'mended' if each['mended'] else 'NOT mended'}: {clean(each['what'])}" for each in found))
    return FINE if all(each["mended"] for each in found) else FINDING


def _target(target: str) -> dict[str, object]:
    service, slash, endpoint = target.partition("/")
    if not service or (slash and not endpoint):
        raise End(
            USAGE, f"{target!r} names no service", "expected SERVICE or SERVICE/ENDPOINT, like shop-web/shop-web-1"
        )
    asked: dict[str, object] = {"service": service}
    return asked | ({"endpoint": endpoint} if endpoint else {})


def _changed(answer: Any, *, as_json: bool) -> int:
    if as_json:
        say_json(answer)
    else:
        say(clean(answer["what"]))
    return FINE
