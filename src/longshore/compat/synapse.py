"""A configuration of Synapse (SmartStack) in our terms. It is read as it is, in JSON or YAML.

    files ──▶ services ──▶ `services`: from, fallback, listen, raw …   ◀── synapse_service: _discovery, _multi, _haproxy
          └─▶ haproxy  ──▶ `haproxy`: raw lines, whole sections        ◀── synapse_process
              engines, ensembles, nameservers ──▶ `sources`            ◀── synapse_sources

A service that cannot be translated is set aside, the others go on. What means something else than it did is a note.
Synapse's options are described in its README (github.com/airbnb/synapse, 0.18).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from longshore.compat.given import At, Given, Told, settle
from longshore.compat.synapse_files import Files, find
from longshore.compat.synapse_process import PROXIES, SHARED, process
from longshore.compat.synapse_service import Made, made, put
from longshore.compat.synapse_sources import Sources
from longshore.config.checks import overlap
from longshore.config.document import Document
from longshore.config.messages import problems_of
from longshore.config.problems import ConfigProblem, Place
from longshore.config.sources import SOURCES
from longshore.config.stand_in import stand_in
from longshore.core.values import RefusedError

KEYS = ("services", "service_conf_dir", "statsd", "haproxy", "file_output")
PLUGINS = {"nginx": "longshore drives HAProxy only: remove it", "smartstack": "name Synapse's own file"}


def read(path: Path, environ: Mapping[str, str], *, root: bool | None = None) -> Document:
    """Read the configuration at a path, a file or a folder. Never raises; what is wrong is in the document."""
    files = find(path)
    ours = Document(files.name, values={(): Place(files.name, 1, 1)})
    if files.problems:
        ours.problems = files.problems
        return ours
    told = Told()
    main = files.main or Document(files.name, data={}, values={(): Place(files.name)})
    given = Given(main, (), told)
    given.only(KEYS, PLUGINS)
    given.inner("services")
    _statsd(given)
    said, whole = process(given.inner("haproxy"), root=os.geteuid() == 0 if root is None else root)
    sources = Sources()
    services = [made(document, steps, name, sources, whole) for name, document, steps in _services(files, told)]
    _passed_over(services, files)
    good = _set_aside(ours, services, said)
    _share(ours, said, good)
    output = _file_output(given, good)
    if told.problems:
        ours.problems = told.problems
        return ours
    _weighed(told, given, good)
    ours.notes += told.notes
    _write(ours, good, sources, {"haproxy": said, "file-output": output}, main.place(("haproxy",)))
    return ours


def _write(ours: Document, services: list[Made], sources: Sources, sections: Mapping[str, Any], place: Place) -> None:
    """Fill our document; a service that neither HAProxy nor a file is told of is left out."""
    ours.data = {"services": {}}
    for service in services:
        if service.balanced or (sections["file-output"] and service.writes_file):
            put(ours, service)
        else:
            ours.notes.append(ConfigProblem(service.place, f"service {service.name} is left out: haproxy.disabled"))
    ours.data |= {key: settle(ours, (key,), value, place) for key, value in sections.items() if value}
    ours.data["sources"] = {
        name: settle(ours, ("sources", name), source, source.place) for name, source in sources.said.items()
    }
    _unreachable(ours)
    used = {source for service in ours.data["services"].values() for source in _used(service)}
    ours.data["sources"] = {name: source for name, source in ours.data["sources"].items() if name in used}
    for problem in ours.set_aside:
        if problem.service not in ours.data["services"] and (kept := stand_in(ours.data, problem.service, None)):
            ours.data["services"][problem.service] = kept


def _unreachable(ours: Document) -> None:
    """Set services aside that are found where nothing can be: other services are none the wiser."""
    for name, source in ours.data["sources"].items():
        try:
            SOURCES[source["type"]].model_validate(source, by_alias=True, by_name=False)
        except ValidationError as error:
            found = problems_of(error, ours, ("sources", name))
            for service in [each for each, said in ours.data["services"].items() if name in _used(said)]:
                del ours.data["services"][service]
                ours.set_aside += [ConfigProblem(p.place, p.what, ("services", service), p.hint) for p in found]


def _services(files: Files, told: Told) -> Iterable[tuple[str, Document, tuple[str, ...]]]:
    """Each service with the document that says it. A file of its own wins, as with Synapse."""
    inside = (files.main.data.get("services") if files.main else None) or {}
    for name in inside if isinstance(inside, dict) else ():
        assert files.main
        if name in files.services:
            place = files.main.place(("services", name), key=True)
            told.note(place, f"service {name} is passed over: it has a file of its own")
        else:
            yield name, files.main, ("services", name)
    for name, document in files.services.items():
        yield name, document, ()


def _passed_over(services: list[Made], files: Files) -> None:
    """Complaints of the files themselves, each with its service."""
    for service in services:
        document = files.services.get(service.name)
        found = document.problems if document else files.main.problems if files.main else []
        own = [p for p in found if document or p.service == service.name]
        if document and document.data is None and document.problems:
            service.told.problems.clear()
        service.told.problems += [ConfigProblem(p.place, p.what, service.told.steps, p.hint) for p in own]


def _set_aside(ours: Document, services: list[Made], said: dict[str, Any]) -> list[Made]:
    """The services that can be served; the others are set aside with what is wrong with them."""
    taken = [*_binds(said)]
    good = []
    for service in services:
        address = service.proxy.address
        if not service.told.problems and address is not None and not service.proxy.disabled:
            other = next((claim for claim in taken if _same(claim[0], str(address.value))), None)
            if other is not None:
                what = f"{address.value} is taken already by {other[1]} ({other[2]})"
                service.told.refuse(address.place, what, "each address can listen for one thing")
            else:
                taken.append((str(address.value), f"service {service.name}", address.place))
        ours.set_aside += service.told.problems
        if not service.told.problems:
            good.append(service)
    return good


def _same(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened to."""
    try:
        return overlap(one, other)
    except RefusedError:  # a socket, or a range; what is no address at all is said by the validation
        return one == other


def _binds(said: Mapping[str, Any]) -> Iterable[tuple[str, str, Place]]:
    """Where whole sections listen."""
    for title, section in said.get("raw", {}).get("sections", {}).items():
        for line in section.value if title.split()[0] in PROXIES else ():
            words = str(line.value).split()
            for address in words[1].split(",") if words[0] == "bind" and len(words) > 1 else ():
                yield address.replace("*:", ":").replace("localhost:", "127.0.0.1:"), f'"{title}"', line.place


def _share(ours: Document, said: dict[str, Any], services: list[Made]) -> None:
    """Put the services' lines of the shared frontend behind those that all share."""
    sections = said.get("raw", {}).get("sections", {})
    if SHARED in sections:
        lines = [line for service in services for line in service.proxy.shared]
        path = ("haproxy", "raw", "sections", SHARED)
        ours.lent = {each.name: [(path, at.value, at.place) for at in each.proxy.shared] for each in services}
        sections[SHARED] = At([*sections[SHARED].value, *lines], sections[SHARED].place)


def _weighed(told: Told, given: Given, services: list[Made]) -> None:
    """Synapse passed the weights of entries over unless it was told otherwise."""
    place = next((service.weighed for service in services if service.weighed), None)
    if place and "use_nerve_weights" not in given.data.get("haproxy", {}):
        told.note(place, "weights that entries in ZooKeeper say count, as with Synapse's use_nerve_weights")


def _statsd(given: Given) -> None:
    if "statsd" not in given:
        return
    statsd = given.inner("statsd")
    statsd.only(("host", "port", "sample_rate"))
    given.note(
        "statsd", "is not spoken: longshore and HAProxy have /metrics for Prometheus", "http://127.0.0.1:8404/metrics"
    )


def _file_output(given: Given, services: list[Made]) -> dict[str, Any]:
    if "file_output" not in given:
        return {}
    output = given.inner("file_output")
    output.only(("output_directory",))
    if not output.needs("output_directory"):
        return {}
    what = "only files that longshore wrote are removed, others stay; `id` is the endpoint's, a text"
    output.note("output_directory", what, steps=("file-output", "directory"))
    said: dict[str, Any] = {"directory": At(output.text("output_directory"), output.place("output_directory"))}
    if not all(service.writes_file for service in services):
        said["services"] = [At(service.name, service.place) for service in services if service.writes_file]
    return said


def _used(service: Mapping[str, Any]) -> set[str]:
    """The sources that a service is found in."""
    origin = service.get("from", [])
    return {item["source"] for item in (origin if isinstance(origin, list) else [origin])}
