"""A configuration of Nerve (SmartStack) in our terms. It is read as it is, in JSON or YAML, with Yelp's additions.

    files ──▶ services ──▶ `register.services`: address, checks, path …   ◀── nerve_service, nerve_checks
          └─▶ the rest ──▶ `register`: name, heartbeat-file, ttl
              ensembles and etcds ──▶ `sources`                           ◀── synapse_sources

A service that cannot be translated is set aside, the others go on. What means something else than it did is a note.
Nerve's options are described in its README (github.com/airbnb/nerve; Yelp/nerve for overlay and prometheus).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.compat.given import At, Given, Told, settle
from longshore.compat.nerve_files import Files, Service, find
from longshore.compat.nerve_service import Made, made
from longshore.compat.synapse_sources import Sources
from longshore.config.document import Document
from longshore.config.problems import ConfigProblem, Place, suggestion

KEYS = (
    *("instance_id", "services", "service_conf_dir", "heartbeat_path", "statsd", "max_repeated_report_failures"),
    "prometheus",  # Yelp's
)
INSTANCE = "NERVE_INSTANCE_ID"
OVERLAY = "NERVE_CONFIG_OVERLAY"
SHORTEST = 2.0  # seconds of a lease of ours


def read(path: Path, environ: Mapping[str, str], *, instance: str = "", overlay: Path | None = None) -> Document:
    """Read the configuration at a path, a file or a folder. Never raises; what is wrong is in the document.

    `instance` is Nerve's `-i`, by default NERVE_INSTANCE_ID; `overlay` its `-o`, by default NERVE_CONFIG_OVERLAY.
    """
    over = overlay or (Path(environ[OVERLAY]) if environ.get(OVERLAY) else None)
    files = find(path, over)
    ours = Document(files.name)
    ours.values[()] = Place(files.name, 1, 1)
    if files.problems:
        ours.problems = files.problems
        return ours
    told = Told()
    given = Given(files.main, (), told)
    name = _instance(given, instance or environ.get(INSTANCE, ""), environ)
    _others(given, over)
    given.inner("services")
    if told.problems:
        ours.problems = told.problems
        return ours
    sources = Sources()
    for passed, place in files.passed_over:
        told.note(place, f"service {passed} is passed over: it has a file of its own")
    services = [_service(key, each, str(name.value), sources, files) for key, each in files.services.items()]
    good = _good(ours, services)
    ours.notes += told.notes
    _settle(ours, given, name, good, sources)
    return ours


def _instance(given: Given, said: str, environ: Mapping[str, str]) -> At:
    if said:
        return At(said, Place(INSTANCE) if environ.get(INSTANCE) == said else Place("--instance-id"))
    given.needs("instance_id", hint=f"say it there, with --instance-id, or in {INSTANCE}")
    return At(given.text("instance_id"), given.place("instance_id"))


def _others(given: Given, overlay: Path | None) -> None:
    """What concerns no service."""
    for key in given.data:
        if key not in KEYS:
            hint = suggestion(key, [name.replace("_", "-") for name in KEYS]).replace("-", "_")
            given.note(key, "is no key of Nerve's, and passed over", hint if hint.startswith("did") else "")
    if "statsd" in given:
        given.note(
            "statsd", "is not spoken: there is /metrics for Prometheus", "longshore register --admin 0.0.0.0:8405"
        )
    if "prometheus" in given:
        prometheus = given.inner("prometheus")
        port = prometheus.port("port") or 9292
        address = f"{prometheus.text('bind', '0.0.0.0')}:{port}"  # noqa: S104  Nerve's default, only told
        hint = f"longshore register --admin {address}"
        if prometheus.flag("enabled"):
            given.note("prometheus", "/metrics is served where --admin says, with names and buckets of its own", hint)
    if "max_repeated_report_failures" in given:
        given.whole("max_repeated_report_failures")
        given.note("max_repeated_report_failures", "is not needed: a registry that is away is tried until it is back")
    if overlay is not None:
        given.told.note(Place(str(overlay)), "the overlay is read again at SIGHUP; Yelp's Nerve looks at it by itself")


def _service(key: str, service: Service, instance: str, sources: Sources, files: Files) -> Made:
    document = service.document
    translated = made(document, service.steps, key, instance, sources)
    told = translated.told
    if service.own and not isinstance(document.data, dict):
        told.problems.clear()
        if not document.problems:
            told.refuse(Place(document.file, 1, 1), "is no service: expected a mapping with host, port, checks")
    found = document.problems if service.own else [p for p in files.main.problems if p.service == key]
    told.problems += [ConfigProblem(p.place, p.what, told.steps, p.hint) for p in found]
    return translated


def _good(ours: Document, services: list[Made]) -> list[Made]:
    """The services that can be registered; the others are set aside with what is wrong with them."""
    good: dict[str, Made] = {}
    for service in services:
        if not service.told.problems and (other := good.get(service.name)) is not None:
            service.told.refuse(service.place, f"another service is called {service.name} too ({other.place})")
        ours.set_aside += service.told.problems
        if not service.told.problems:
            good[service.name] = service
            ours.notes += service.told.notes
    return list(good.values())


def _settle(ours: Document, given: Given, name: At, services: list[Made], sources: Sources) -> None:
    """Put everything together."""
    whole = given.place(key=True)
    used = list(dict.fromkeys(service.registry for service in services if service.registry))
    said: dict[str, Any] = {"name": name, "containers": At(False, whole)}
    if used:
        said["registry"] = At(used, whole)
        said["ttl"] = At(max(SHORTEST, *(service.ttl for service in services)), whole)
    if "heartbeat_path" in given:
        said["heartbeat-file"] = At(given.text("heartbeat_path"), given.place("heartbeat_path"))
    said["services"] = At({service.name: At(service.said, service.place) for service in services}, whole)
    ours.data = {"register": settle(ours, ("register",), said, whole)}
    ours.data["sources"] = {
        source: settle(ours, ("sources", source), settings, settings.place)
        for source, settings in sources.said.items()
        if source in used
    }
    short = [service for service in services if service.ttl and service.ttl < said["ttl"].value] if used else []
    for service in short:
        what = (
            f"its entry outlives a crash by {said['ttl'].value:g} s, as the others do: with Nerve by {service.ttl:g} s"
        )
        ours.notes.append(ConfigProblem(service.place, what, service.told.steps, "register.ttl is the same for all"))
