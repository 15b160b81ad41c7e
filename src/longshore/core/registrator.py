"""registrator's metadata: what SERVICE_… in a container's environment and labels says of the service on one port.

    SERVICE_NAME=web           SERVICE_80_NAME=web       the service; of several ports only the second says it whole
    SERVICE_TAGS=a,b\\,c        SERVICE_ID, SERVICE_IGNORE   any value leaves it out
    SERVICE_CHECK_HTTP=/ok     SERVICE_ANYTHING=x        attributes, by their names in small letters

Labels win over the environment, what is said of a port over what is said of all. (bridge/util.go, bridge/bridge.go)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.core.register_check import RegisterCheck, register_check
from longshore.core.values import RefusedError

PREFIX = "SERVICE_"
_CHECKS = (("check_http", ""), ("check_https", "https:"))
_OTHERS = (("check_tcp", "tcp"), ("check_grpc", "grpc"))


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of the service on one port."""

    name: str = ""
    by_port: bool = False  # whether `name` was said of this port
    id: str = ""
    tags: tuple[str, ...] = ()
    ignore: bool = False
    attrs: Mapping[str, str] = field(default_factory=dict)


def said_of(environment: Mapping[str, str], labels: Mapping[str, str], port: int) -> Said:
    """Read what is said of a port."""
    of_all, of_port = dict[str, str](), dict[str, str]()
    for source in (environment, labels):
        for key, value in source.items():
            if not key.startswith(PREFIX):
                continue
            word = key.removeprefix(PREFIX).lower()
            number, underscore, rest = word.partition("_")
            if not underscore or not re.fullmatch(r"[0-9]+", number, re.ASCII):
                of_all[word] = value
            elif int(number) == port:
                of_port[rest] = value
    found = of_all | of_port
    attrs = {key: value for key, value in found.items() if key not in ("name", "tags", "id")}
    return Said(
        name=found.get("name", ""),
        by_port="name" in of_port,
        id=found.get("id", ""),
        tags=tuple(tags_in(found.get("tags", ""))),
        ignore=bool(found.get("ignore")),
        attrs=dict(sorted(attrs.items())),
    )


def tags_in(text: str) -> list[str]:
    """Take tags apart at their commas, but those after a backslash. The last comes first, as registrator has it."""
    found = re.findall(r"(?:[^,\\]|\\.|\\$)+", text, re.DOTALL)
    return [tag.replace("\\,", ",") for tag in reversed(found)]


def check_of(attrs: Mapping[str, str]) -> RegisterCheck | None:
    """The check that we can make ourselves, of those that are meant for Consul; None if there is none."""
    for key, kind in _CHECKS:
        if path := attrs.get(key):
            try:
                return register_check(f"{kind}{path}")
            except RefusedError:  # Consul will say so, if it is asked
                return None
    return next((register_check(kind) for key, kind in _OTHERS if attrs.get(key)), None)
