"""The section `haproxy` of a Synapse configuration that holds for all services: HAProxy as a process.

longshore runs HAProxy itself, so what Synapse needed in order to write files, reload and talk is not needed any more.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Mapping
from typing import Any

from longshore.compat import haproxy_lines
from longshore.compat.given import At, Given
from longshore.compat.synapse_haproxy import Whole, modernized
from longshore.config.problems import Place
from longshore.core.values import RefusedError

OURS = "longshore runs HAProxy itself"
SWITCHES = {
    "do_writes": "haproxy.cfg is always written, into the state directory",
    "do_reloads": "servers come and go at runtime; what needs a reload is reloaded without loss",
    "do_socket": "HAProxy is always told of changes through its socket",
    "do_checks": "every configuration is checked before HAProxy gets it",
}
NOT_NEEDED = {
    "check_command": "HAProxy itself checks every configuration",
    "candidate_config_file_path": "every configuration is checked before HAProxy gets it",
    "reload_command": OURS,
    "config_file_path": f"{OURS}; `longshore render` prints its haproxy.cfg",
    "socket_file_path": f"{OURS}, with a socket in the state directory",
    "restart_interval": "there is next to nothing left to reload",
    "restart_jitter": "there is next to nothing left to reload",
    "state_file_path": "longshore remembers what it knew by itself, in the state directory",
    "state_file_ttl": "what is gone is gone: no disabled servers are kept",
    "server_order_seed": "servers stand in the order in which they were found",
    "max_server_id": "HAProxy numbers its servers itself",
}
KEYS = (
    *("global", "defaults", "extra_sections", "shared_frontend", "bind_address", "use_nerve_weights"),
    *SWITCHES,
    *NOT_NEEDED,
)
SETTINGS: Mapping[str, str] = {
    "user": "user",
    "group": "group",
    "maxconn": "max-connections",
    "nbthread": "threads",
    "hard-stop-after": "hard-stop-after",
}
"""Lines of `global` that are settings of ours. HAProxy would take only the first of two."""
PRIVILEGED = ("user", "group", "uid", "gid", "chroot")
PROXIES = ("listen", "frontend", "backend")
SHARED = "frontend shared-frontend"


def process(given: Given, *, root: bool) -> tuple[dict[str, Any], Whole]:
    """Read the section: what it becomes of our section `haproxy`, and what it says of every service."""
    given.only(KEYS, {"port": "it stands beneath `haproxy` of a service"})
    for key in ("global", "defaults") if given.data else ():
        if key not in given.data:
            given.refuse(key, "is missing", f'write "{key}": [] if it has no lines')
    for key, instead in SWITCHES.items():
        if key in given and (given.flag(key) is False) != (key == "do_checks"):
            given.note(key, f"is passed over: {instead}")
    for key, instead in NOT_NEEDED.items():
        if key in given:
            given.note(key, f"is not needed: {instead}")
    if "use_nerve_weights" in given and not given.flag("use_nerve_weights"):
        given.note("use_nerve_weights", "weights that entries say always count")
    defaults = given.texts("defaults")
    plain = tuple(str(line.value) for line in defaults)
    said, raw = _global(given, root=root)
    if lines := modernized(defaults, "defaults", given.told, steps=("haproxy", "raw", "defaults")):
        raw["defaults"] = lines
    sections = _sections(given, haproxy_lines.mode([], list(plain)))
    if sections:
        raw["sections"] = sections
    address = At(given.text("bind_address"), given.place("bind_address")) if "bind_address" in given else None
    unverified = any(str(line.value).split() == ["ssl-server-verify", "none"] for line in given.texts("global"))
    return said | ({"raw": raw} if raw else {}), Whole(
        address, plain, "shared_frontend" in given, unverified, given.flag("use_nerve_weights")
    )


def _global(given: Given, *, root: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    said: dict[str, Any] = {}
    rest: list[At] = []
    for line in given.texts("global"):
        word, _, value = str(line.value).strip().partition(" ")
        if word in PRIVILEGED and not root:
            given.told.note(line.place, f"{word}: is left out, only root can do that")
        elif word in ("uid", "gid"):
            _identity(given, line, word, value.strip(), said)
        elif word in SETTINGS and value.strip():
            number = value.strip()
            read = int(number) if number.isdigit() and word in ("maxconn", "nbthread") else number
            said[SETTINGS[word]] = At(read if word != "hard-stop-after" else _duration(number), line.place)
        else:
            rest.append(line)
    lines = modernized(rest, "global", given.told, steps=("haproxy", "raw", "global"))
    return said, {"global": lines} if lines else {}


def _identity(given: Given, line: At, word: str, number: str, said: dict[str, Any]) -> None:
    """Say by name whom HAProxy becomes: it takes only one of `user` and `uid`."""
    try:
        name = pwd.getpwuid(int(number)).pw_name if word == "uid" else grp.getgrgid(int(number)).gr_name
    except (ValueError, KeyError, OverflowError):
        given.told.note(line.place, f"{word} {number} is left out: nobody has this number here")
        return
    said["user" if word == "uid" else "group"] = At(name, line.place)


def _duration(text: str) -> str:
    """A time as HAProxy reads it: milliseconds without a unit."""
    return f"{text}ms" if text.isdigit() else text


def _sections(given: Given, mode: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    extra = given.inner("extra_sections")
    for written in extra.data:
        place = extra.place(written, key=True)
        try:
            title, first, note = haproxy_lines.title(written)
        except RefusedError as refusal:
            given.told.refuse(place, f"{extra.called(written)}: {refusal}", refusal.hint)
            continue
        if note:
            given.told.note(place, note)
        lines = [At(each, place) for each in first] + extra.texts(written)
        found[title] = At(_section(given, title.split()[0], lines, mode, place), place)
    if "shared_frontend" in given:
        place = given.place("shared_frontend", key=True)
        found[SHARED] = At(_section(given, "frontend", given.texts("shared_frontend"), mode, place), place)
    return found


def _section(given: Given, kind: str, lines: list[At], mode: str, place: Place) -> list[At]:
    """Its lines as today's HAProxy takes them. The mode, which `defaults` said for all, is said in each proxy."""
    if kind not in PROXIES:
        return modernized(lines, kind, given.told)
    own = haproxy_lines.mode([str(line.value) for line in lines], [f"mode {mode}"])
    return [At(f"mode {own}", place), *modernized(lines, kind, given.told, own)]
