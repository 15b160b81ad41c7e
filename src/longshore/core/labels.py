"""What a container's labels say: `longshore.<key>` of its one service, `longshore.<service>.<key>` of several.

`enable`, `network`, `address`, `zone`, `register` and `register-address` are about the container: said without a
service, they hold for all of its services. A container that names services and says anything else without one has its
own service besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.core.keys import KEYS, closest
from longshore.core.model import Problem
from longshore.core.values import RefusedError, name, shown, switch

PREFIX = "longshore."
_OF_CONTAINER = ("enable", "network", "address", "zone", "register", "register-address")
MOST_SERVICES = 32


@dataclass(frozen=True, slots=True)
class Said:
    """What labels say: the pairs of each service, by the name in the label; "" is the container's own service.

    `services` is empty when there are none of our labels, when the container is switched off (`off`), and when nothing
    is left without a problem.
    """

    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    off: bool = False
    problems: tuple[Problem, ...] = ()


def split(labels: Mapping[str, str], where: str) -> Said:
    """Take the labels apart. Values are not looked at, except that of `enable`."""
    ours = {label[len(PREFIX) :]: value for label, value in labels.items() if label.startswith(PREFIX)}
    if not ours:
        return Said()
    if "enable" in ours and _is_false(ours["enable"]):
        return Said(off=True)
    own: dict[str, str] = {}
    named: dict[str, dict[str, str]] = {}
    spoiled: dict[str, Problem] = {}  # a service with a label that cannot be is left out; "" is the own one
    for rest, value in sorted(ours.items()):
        service, dot, key = rest.rpartition(".")
        if not dot:
            own[key] = value
        elif problem := _not_a_service(service, key, where):
            spoiled["" if service in KEYS else service] = problem
        else:
            named.setdefault(service, {})[key] = value
    if len(named) > MOST_SERVICES:
        what = f"labels name {len(named)} services; at most {MOST_SERVICES} are accepted"
        return Said(problems=(Problem(where, what, "start several containers"),))
    shared = {key: own[key] for key in _OF_CONTAINER if key in own} if named else {}
    services: dict[str, Mapping[str, str]] = {service: shared | pairs for service, pairs in named.items()}
    if own.keys() - shared.keys():
        services[""] = own
    fine = {service: pairs for service, pairs in services.items() if service not in spoiled}
    return Said(fine, problems=tuple(spoiled.values()))


def _not_a_service(service: str, key: str, where: str) -> Problem | None:
    label = f"label {PREFIX}{shown(f'{service}.{key}', 80)[1:-1]}"
    if service in KEYS:
        meant = closest(f"{service}-{key}")
        hint = f"did you mean {PREFIX}{meant}?" if meant not in ("", service) else "give the service another name"
        return Problem(where, f"{label}: {service} is a key, not a service", hint)
    if not service:
        return Problem(where, f"{label}: the service has no name", f"did you mean {PREFIX}{shown(key)[1:-1]}?")
    try:
        name(service)
    except RefusedError as refusal:
        return Problem(where, f"{label}: {refusal}", refusal.hint)
    if key == "service":
        return Problem(where, f"{label}: the service is already named {service}", "remove this label")
    return None


def _is_false(value: str) -> bool:
    try:
        return not switch(value)
    except RefusedError:
        return False
