"""registrator: its flags and its environment, in our terms. What containers say (SERVICE_…) is read as they run.

Each value has the place "--registrator -ip", or the variable that says it. What means something else here has a note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as File

from longshore.compat.registrator_flags import Arguments, arguments_of
from longshore.compat.registrator_uri import registry_of
from longshore.config.document import Document
from longshore.config.environment import put
from longshore.config.problems import ConfigProblem, Path, Place
from longshore.core.go_template import is_template
from longshore.core.registrator import tags_in
from longshore.core.values import RefusedError

OPTION = "--registrator"
SOCKET = File("/tmp/docker.sock")  # noqa: S108 - where registrator's documentation mounts the engine's
LEAST, MOST, USUAL = 2, 3600, 10  # seconds that an entry may live without us


def read(
    arguments: Sequence[str], environ: Mapping[str, str], *, is_there: Callable[[File], bool] = File.is_socket
) -> Document:
    """Read registrator's command line. Never raises: what is wrong is in `problems`."""
    said = arguments_of(arguments)
    document = Document(OPTION, {"sources": {}, "register": {}}, values={(): Place(OPTION)})
    document.problems += [ConfigProblem(_at(word), what, hint=hint) for word, what, hint in said.faults]
    if not said.uri or not _registry(document, said.uri, environ):
        document.data = None  # nothing else would be of use
        return document
    _containers(document, said)
    _times(document, said)
    _no_longer(document, said)
    if not environ.get("DOCKER_HOST") and is_there(SOCKET):
        put(
            document,
            ("register", "docker", "host"),
            f"unix://{SOCKET}",
            Place(f"{OPTION}, where DOCKER_HOST is not set"),
        )
    return document


def _registry(document: Document, uri: str, environ: Mapping[str, str]) -> bool:
    """Say where entries are written; tell whether that is known."""
    try:
        registry = registry_of(uri, environ)
    except RefusedError as refusal:
        document.problems.append(ConfigProblem(_at(uri), str(refusal), hint=refusal.hint))
        return False
    path = ("sources", registry.type)
    put(document, path, registry.settings, _at(uri))
    for steps, variable in registry.variables.items():
        document.keys[path + steps] = document.values[path + steps] = Place(variable)
    put(document, ("register", "registry"), registry.type, _at(uri))
    for variable in registry.refused:
        what = "has no meaning here: a proxy's password, or certificates that are not looked at, cannot be said"
        document.problems.append(ConfigProblem(Place(variable), what, path, "unset it, or ask for it in an issue"))
    if registry.type == "etcd":
        what = "etcd's API v3 is spoken: what a registrator wrote by API v2 is not seen here"
        _note(document, uri, what, (*path, "layout"))
    return True


def _containers(document: Document, said: Arguments) -> None:
    """Say which containers are registered, and how."""
    what = "a container is registered when it is healthy (its HEALTHCHECK, SERVICE_CHECK_…, else a TCP connect answers)"
    put(document, ("register", "metadata"), "registrator", Place(OPTION))
    _note(document, "", what, ("register", "metadata"), "its label longshore.register-check=none registers it at once")
    put(document, ("register", "expose"), "labelled" if said.switch("explicit") else "all", _at("-explicit"))
    if address := said.text("ip"):
        put(document, ("register", "address"), address, _at("-ip"))
    if said.switch("internal"):
        put(document, ("register", "networks"), ["*"], _at("-internal"))
    if label := said.text("useIpFromLabel"):
        put(document, ("register", "address-label"), label, _at("-useIpFromLabel"))
    if tags := said.text("tags"):
        put(document, ("register", "tags"), [tags] if is_template(tags) else tags_in(tags), _at("-tags"))
    if said.switch("cleanup"):
        put(document, ("register", "cleanup"), True, _at("-cleanup"))
        if not said.uri.startswith(("consul:", "consul-")):
            _note(document, "-cleanup", "does nothing but in Consul, as ever", ("register", "cleanup"))


def _times(document: Document, said: Arguments) -> None:
    """Say how long entries outlive us."""
    ttl, refresh, path = said.number("ttl"), said.number("ttl-refresh"), ("register", "ttl")
    for flag in ("ttl", "ttl-refresh", "resync"):
        if said.number(flag) < 0:
            document.problems.append(ConfigProblem(_at(f"-{flag}"), "is less than 0", path, "seconds, like 30"))
            return
    if bool(ttl) != bool(refresh):
        there, missing = ("-ttl", "-ttl-refresh") if ttl else ("-ttl-refresh", "-ttl")
        what = f"{missing} is missing beside it: the two belong together"
        document.problems.append(ConfigProblem(_at(there), what, path, "like -ttl 30 -ttl-refresh 10, or neither"))
    elif ttl and ttl <= refresh:
        what = f"{ttl} is not greater than -ttl-refresh, which is {refresh}: entries would expire in between"
        document.problems.append(ConfigProblem(_at("-ttl"), what, path, "three times as much is usual"))
    elif ttl:
        lives = min(max(ttl, LEAST), MOST)
        put(document, path, f"{lives}s", _at("-ttl"))
        if lives != ttl:
            _note(document, "-ttl", f"{ttl} s is out of bounds: entries outlive their registrar by {lives} s", path)
        _note(document, "-ttl-refresh", "is not needed: entries are renewed three times within their TTL", path)
    else:
        what = f"entries do not stay for ever: they go {USUAL} s after their registrar died"
        _note(document, "", what, path, "-ttl and -ttl-refresh say another time")


def _no_longer(document: Document, said: Arguments) -> None:
    """Say what is no longer needed, or done otherwise."""
    here: Path = ("register",)
    if said.number("resync"):
        _note(document, "-resync", "is not needed: registry and engine are compared all the time", here)
    if (mode := said.flags.get("deregister", "always")) not in ("always", "on-success"):
        hint = 'expected "always" or "on-success"'
        document.problems.append(ConfigProblem(_at("-deregister"), f"cannot be {mode!r}", here, hint))
    elif mode == "on-success":
        what = "a container that failed leaves as any other does: nothing is there to be asked"
        _note(document, "-deregister", what, here, "`longshore events` and the engine tell how it ended")
    if "retry-interval" in said.flags and said.number("retry-interval") <= 0:
        what = "must be greater than 0"
        document.problems.append(ConfigProblem(_at("-retry-interval"), what, here, "milliseconds, like 2000"))
    elif {"retry-attempts", "retry-interval"} & said.flags.keys():
        flag = "-retry-attempts" if "retry-attempts" in said.flags else "-retry-interval"
        _note(document, flag, "is not needed: the registry is waited for, for as long as it takes", here)


def _note(document: Document, word: str, what: str, path: Path, hint: str = "") -> None:
    document.notes.append(ConfigProblem(_at(word), what, path, hint))


def _at(word: str) -> Place:
    return Place(f"{OPTION} {word}".rstrip())
