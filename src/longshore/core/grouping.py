"""Which service a container belongs to when it does not say so itself.

`compose`: the service of Compose, "<project>-<service>"; else the Swarm service; else the image. `image`: the image.
`label:KEY`, `env:KEY`: the value there; a container without it is grouped as with `compose`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from longshore.core.containers import Container
from longshore.core.model import Route

PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
SWARM = "com.docker.swarm.service.name"
LONGEST = 100
_TIDY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?", re.ASCII)  # nothing to do


@dataclass(frozen=True, slots=True)
class Group:
    """A service's name, and whether only the image told it: containers of one image may well be different services."""

    name: str
    by_image: bool = False


def tidy(text: str) -> str:
    """Make a service's name of any text: letters, digits, "_", "." and "-"; everything else becomes "-"."""
    if _TIDY.fullmatch(text):
        return text
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text[: 4 * LONGEST], flags=re.ASCII).strip("-._")[:LONGEST]


def group_of(container: Container, group_by: str) -> Group:
    """Give the group of a container by its surroundings."""
    kind, _, key = group_by.partition(":")
    if kind == "label" and (name := tidy(container.labels.get(key, ""))):
        return Group(name)
    if kind == "env" and (name := tidy(container.env.get(key, ""))):
        return Group(name)
    if kind != "image" and (name := engine_name(container)):
        return Group(name)
    return Group(tidy(repository(container.image).rpartition("/")[2]) or tidy(container.name) or "container", True)


def engine_name(container: Container) -> str:
    """Give the name that Compose or Swarm gave to the container's service, "" if neither started it."""
    if service := container.labels.get(SERVICE, ""):
        return tidy(f"{container.labels.get(PROJECT, '')}-{service}")
    return tidy(container.labels.get(SWARM, ""))


def repository(image: str) -> str:
    """Give an image's repository: "local/nodeapp" for "docker.io/local/nodeapp:1.2@sha256:…"; "" for a bare id."""
    bare = image.partition("@")[0]
    if bare.startswith("sha256:") or bare == "sha256":
        return ""
    folder, slash, last = bare.rpartition("/")
    return _familiar(f"{folder}{slash}{last.partition(':')[0]}")


def same_image(image: str, wanted: str) -> bool:
    """Whether `image` is the one that is wanted; without a tag or digest in `wanted`, any version of it is."""
    if "@" in wanted or ":" in wanted.rpartition("/")[2]:
        return _familiar(image) == _familiar(wanted)
    return bool(wanted) and repository(image) == _familiar(wanted)


def _familiar(image: str) -> str:
    return image.removeprefix("index.docker.io/").removeprefix("docker.io/").removeprefix("library/")


def told_apart(name: str, routes: Iterable[Route]) -> str:
    """Give the name of one of several services of an image: the image and what leads there, "nginx-a.example.com"."""
    for route in routes:
        host = route.host.replace("*", "any") if route.host != "*" else ""
        what = "-".join(filter(None, (tidy(part) for part in (host, route.listen, route.path))))
        return tidy(f"{name}-{what or 'any'}")
    return name
