"""From the configuration to the registrations of plain processes."""

from __future__ import annotations

import math
from typing import TypeVar

from longshore.agent.register_setup import section_of
from longshore.config.load import Loaded
from longshore.config.register_process import RateLimitConfig, RegisterCheckConfig, RegisteredProcess
from longshore.core import spec
from longshore.core.entries import Entry, Manner
from longshore.core.labels import PREFIX
from longshore.core.rate_limit import RateLimit
from longshore.core.register_check import RegisterCheck
from longshore.core.registration import GUEST, LocalCheck, Login, Options, Registration
from longshore.core.registration_making import LOCAL
from longshore.core.spec import Spec

T = TypeVar("T")


def processes_of(loaded: Loaded, options: Options) -> tuple[Registration, ...]:
    """The plain processes; without those that need this host's address while it is not known."""
    made = []
    for name, process in section_of(loaded).services.items():
        if host := process.address or options.address:
            made.append(_process(name, process, host, options))
    return tuple(made)


def _process(service: str, process: RegisteredProcess, host: str, options: Options) -> Registration:
    said, _ = spec.check(process.pairs)  # it was checked with the configuration
    said = said or Spec()
    entry = Entry(
        service=service,
        id=process.id or f"{options.name}:{process.port}",
        host=host,
        port=process.port,
        name=options.name,
        weight=process.weight,
        labels=_labels(process),
        tags=(*options.tags, *(tag for tag in process.tags if tag not in options.tags)),
        zone=said.zone or options.zone,
        owner=options.owner,
        server_options=process.server_options or "",
        machine=options.name,
        manner=Manner(process.path or "", process.path_encoding, process.node_type, process.touch),
    )
    asked = process.checks or (RegisterCheckConfig(check=process.check),)
    if process.checks == () and "checks" in process.model_fields_set:
        asked = (RegisterCheckConfig(check=RegisterCheck("none")),)
    first, *more = (_check(each, process, said, host, options) for each in asked)
    return Registration(
        entry,
        first,
        place="said in the configuration",
        more=tuple(more),
        registries=process.registry,
        limit=_limit(process.rate_limit),
    )


def _check(
    each: RegisterCheckConfig, process: RegisteredProcess, said: Spec, host: str, options: Options
) -> LocalCheck:
    kind = each.check
    if kind.kind == "http" and said.server_tls:
        kind = RegisterCheck("https", kind.argument)
    return LocalCheck(
        kind,
        each.address or process.check_address or host,
        each.port or process.port,
        said.check_host or "",
        each.status or said.check_status or "200-399",
        each.expect or said.check_expect or "",
        said.server_tls or "",
        interval=_first(process.interval, said.check_interval, options.interval),
        timeout=_first(each.timeout, process.timeout, said.check_timeout, options.timeout),
        rise=_first(each.rise, process.rise, said.check_rise, options.rise),
        fall=_first(each.fall, process.fall, said.check_fall, options.fall),
        headers=tuple(each.headers.items()),
        login=Login(
            each.username or GUEST.user, GUEST.password if each.password is None else each.password.get_secret_value()
        ),
        method=said.check_method or "GET",
    )


def _first(*values: T | None) -> T:
    """The first that is said; the last one is."""
    return next(value for value in values if value is not None)


def _limit(limit: RateLimitConfig | None) -> RateLimit | None:
    if limit is None:
        return None
    return RateLimit(limit.average, math.inf if limit.burst is None else limit.burst, limit.shadow)


def _labels(process: RegisteredProcess) -> tuple[tuple[str, str], ...]:
    """Further labels as they were said, in their order, and the keys that balancers read."""
    said = {f"{PREFIX}{key}": _text(value) for key, value in process.pairs.items() if key not in LOCAL}
    return (*process.labels.items(), *sorted(said.items()))


def _text(value: object) -> str:
    """A value of the configuration as a label says it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
