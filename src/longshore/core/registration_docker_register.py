"""The registration of one container as docker-register makes it: of its only published port, by the image alone.

    service  the image without its registry, which is all before the first "/", and without its tag
    id       the first 12 digits of the container's id

Its labels say nothing, but for ours that are about this host (`longshore.register`, `longshore.register-check` …).
(docker-register's etcd.tmpl; docker-gen 0.3.3, splitDockerImage)
"""

from __future__ import annotations

from dataclasses import replace

from longshore.core.containers import Container
from longshore.core.grouping import tidy
from longshore.core.model import Problem
from longshore.core.registration import Options
from longshore.core.registration_making import Contribution, Making, takes_part
from longshore.core.values import shown

WAY_OUT = "publish one alone, or register by labels: `register: {metadata: longshore}`"


def registration_of(container: Container, options: Options, through: Container | None = None) -> Contribution:
    """Give the registration of a container, or why there is none."""
    if not takes_part(container, options):
        return Contribution()
    making = Making(container, through or container, options, f"container {shown(container.name, 120)[1:-1]}", [])
    own = making.said_here()
    if own is None:
        return making.done()
    ports = sorted({(each.port, each.protocol) for each in making.side.published if each.host_port})
    if not ports:
        return replace(making.done(), unpublished=True)
    if len(ports) > 1 or ports[0][1] != "tcp":
        listed = ", ".join(f"{port}/{protocol}" for port, protocol in ports[:10])
        what = f"docker-register has no place for several ports, and it publishes {listed}"
        if len(ports) == 1:
            what = f"docker-register has TCP ports only, and it publishes {listed}"
        making.problems.append(Problem(making.where, what, WAY_OUT))
        return making.done()
    ((port, protocol),) = ports
    making.add(service_of(container), making.at_host(own, port, protocol), {"tcp": f":{port}"}, protocol, port)
    making.made = [replace(each, entry=replace(each.entry, id=container.id[:12])) for each in making.made]
    return making.done()


def service_of(container: Container) -> str:
    """The service of a container: its image's repository as docker-gen tells it, in one word."""
    bare = container.image.partition("@")[0]
    if bare == "sha256" or bare.startswith("sha256:"):
        return tidy(container.name)
    _, slash, rest = bare.partition("/")
    return tidy((rest if slash else bare).partition(":")[0]) or tidy(container.name)
