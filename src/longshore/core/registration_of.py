"""The registrations of one container: one for each of its services, or problems for people.

The labels are those that a balancer on this host reads. They go into the entry, but for those that are about this host,
so that balancers elsewhere route to the container as one here does.
"""

from __future__ import annotations

from functools import lru_cache

from longshore.core import labels, spec
from longshore.core.containers import Container
from longshore.core.registration import Options
from longshore.core.registration_making import Contribution, Making, takes_part
from longshore.core.spec import Spec
from longshore.core.values import shown


def registration_of(container: Container, options: Options, through: Container | None = None) -> Contribution:
    """Give the registrations of a container. `through` is the one whose network it uses, if it has none of its own."""
    if not takes_part(container, options):
        return Contribution()
    where = f"container {shown(container.name, 120)[1:-1]}"
    said = labels.split(container.labels, where)
    if said.off:
        return Contribution()
    making = Making(container, through or container, options, where, list(said.problems))
    for name, pairs in said.services.items():
        protocol = "udp" if pairs.get("port", "").strip().endswith("/udp") else "tcp"
        if protocol == "udp":
            pairs = {**pairs, "port": pairs["port"].strip().removesuffix("/udp")}
        prefix = f"{labels.PREFIX}{name}." if name else labels.PREFIX
        found, faults = _checked(tuple(pairs.items()))
        making.problems += [spec.problem_of(fault, where, f"label {prefix}") for fault in faults]
        if found is not None and found.enable and found.register is not False:
            making.add(name or found.service or making.group, found, pairs, protocol, prefix=prefix)
    if options.expose == "all" and not (said.services or said.problems):
        making.add_all()
    return making.done()


def _checked(pairs: tuple[tuple[str, str], ...]) -> tuple[Spec | None, tuple[spec.Fault, ...]]:
    """Replicas carry the same labels: they are read once, and share one Spec. Oversized ones are not kept."""
    return _remembered(pairs) if sum(len(value) for _, value in pairs) < 4096 else spec.check(dict(pairs))


@lru_cache(maxsize=2048)
def _remembered(pairs: tuple[tuple[str, str], ...]) -> tuple[Spec | None, tuple[spec.Fault, ...]]:
    return spec.check(dict(pairs))
