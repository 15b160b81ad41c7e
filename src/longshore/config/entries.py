"""Operator's services, checked: the keys they share with the labels read by `core.spec`, each problem at its line.

The configuration's `services:` and the files of the file source hold the same, and come through here both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from longshore.config.document import Document
from longshore.config.messages import problems_of
from longshore.config.outline import fields, keys_at
from longshore.config.problems import ConfigProblem, Place, suggestion
from longshore.config.services import FixedEndpoint, ServiceConfig
from longshore.core import spec as keys
from longshore.core import values
from longshore.core.keys import KEYS
from longshore.core.origins import fallback_of
from longshore.core.spec import Spec
from longshore.core.values import RefusedError

NEVER = {
    "service": "the service is named by the key above it",
    "enable": "a service that must not be served is left out, or commented out",
}
NOT_WITH_ENDPOINTS = {
    "port": "each endpoint says its own port",
    "address": "each endpoint says its own address",
    "network": "fixed endpoints are on no network of an engine",
}
NOT_WITH_FROM = {"port": "say it inside `from`", "address": "containers say it by a label of their own"}


@dataclass(frozen=True, slots=True)
class FixedService:
    """A service with fixed endpoints, valid, or the part of one that is composed."""

    name: str
    spec: Spec
    endpoints: tuple[FixedEndpoint, ...]
    place: Place  # where its name was written
    places: tuple[Place, ...]  # where each endpoint was written


def check_service(name: str, service: ServiceConfig, document: Document) -> tuple[Spec | None, list[ConfigProblem]]:
    """Read what a service says beside its endpoints. The spec is None if there is any problem."""
    spec, problems = check_keys(name, service.pairs, document, picked=service.from_ is not None)
    problems += _repeated(service, document, name)
    return (None if problems else spec), problems


def check_all_keys(document: Document) -> list[ConfigProblem]:
    """What is wrong with the keys of all services, when the document as a whole is not valid."""
    services = document.data.get("services")
    problems: list[ConfigProblem] = []
    for name, written in services.items() if isinstance(services, dict) else ():
        if isinstance(written, dict):
            pairs = {key: value for key, value in written.items() if key not in fields(ServiceConfig)}
            problems += check_keys(name, pairs, document, picked="from" in written)[1]
    return problems


def check_keys(
    name: str, pairs: Mapping[str, object], document: Document, *, picked: bool
) -> tuple[Spec | None, list[ConfigProblem]]:
    """Read the keys that a service shares with the labels; `picked` says that it has `from`, not `endpoints`."""
    path = ("services", name)
    problems: list[ConfigProblem] = []
    refused = NEVER | (NOT_WITH_FROM if picked else NOT_WITH_ENDPOINTS)
    for key in pairs:
        place = document.place((*path, key), key=True)
        if key in refused:
            problems.append(ConfigProblem(place, "has no meaning here", (*path, key), refused[key]))
        elif key not in KEYS:
            hint = suggestion(key, keys_at(path))
            problems.append(ConfigProblem(place, "unknown key", (*path, key), hint))
    known = {key: value for key, value in pairs.items() if key in KEYS and key not in refused}
    spec, faults = keys.check(known, operator=True)
    for fault in faults:
        here = (*path, fault.key) if fault.key else path
        problems.append(ConfigProblem(document.place(here), fault.what, here, fault.hint))
    return (None if problems else spec), problems


def _repeated(service: ServiceConfig, document: Document, name: str) -> list[ConfigProblem]:
    """The same address and port twice in one service is a slip of the pen."""
    seen: dict[str, Place] = {}
    problems = []
    key = "endpoints" if service.endpoints else "fallback"
    for index, endpoint in enumerate(service.endpoints or service.fallback):
        path = ("services", name, key, index)
        place = document.place(path)
        if (first := seen.setdefault(endpoint.label, place)) is not place:
            what = f"{endpoint.label} is listed twice, first in line {first.line}"
            problems.append(ConfigProblem(place, what, path, "remove one; `weight` gives it a larger share"))
    return problems


def fixed(name: str, service: ServiceConfig, spec: Spec, document: Document) -> FixedService:
    """A valid service with its endpoints, or its `fallback` endpoints as a part, and where they were written."""
    path = ("services", name)
    key, endpoints = ("fallback", service.fallback) if service.fallback else ("endpoints", service.endpoints)
    places = tuple(document.place((*path, key, index)) for index in range(len(endpoints)))
    part = fallback_of(name) if service.fallback else name
    return FixedService(part, spec, endpoints, document.place(path, key=True), places)


@dataclass(frozen=True, slots=True)
class ServicesFile:
    """What a file of the file source says. `services` has None for one that is written, but wrong."""

    services: Mapping[str, FixedService | None]
    problems: tuple[ConfigProblem, ...]
    readable: bool  # False: nothing is known of its services, as good as not read


def services_file(document: Document) -> ServicesFile:
    """Check the content of a file of the file source, each service for itself."""
    data = document.data
    problems = list(document.problems)
    if data is None:
        if not problems:
            problems.append(ConfigProblem(Place(document.file), "is empty", hint="delete the file if that is meant"))
        return ServicesFile({}, tuple(problems), False)
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict):
        what = "expected `services:` with the services beneath it, each with its name"
        return ServicesFile({}, (*problems, ConfigProblem(document.place(("services",)), what)), False)
    for key in data.keys() - {"services"}:
        place = document.place((key,), key=True)
        problems.append(ConfigProblem(place, "unknown key", (key,), "this file may hold only `services:`"))
    spoilt = {problem.service for problem in problems}
    services: dict[str, FixedService | None] = {}
    for name, written in data["services"].items():
        services[name], found = _one(name, written, document)
        problems += found
        if name in spoilt:
            services[name] = None
    return ServicesFile(services, tuple(problems), True)


def _one(name: str, written: object, document: Document) -> tuple[FixedService | None, list[ConfigProblem]]:
    path = ("services", name)
    try:
        values.name(name)
    except RefusedError as refusal:
        place = document.place(path, key=True)
        return None, [ConfigProblem(place, str(refusal), path, refusal.hint)]
    try:
        service = ServiceConfig.model_validate(written, by_alias=True, by_name=False)
    except ValidationError as error:
        return None, problems_of(error, document, path)
    if service.from_ is not None:
        what = "a file of the file source holds fixed `endpoints` only"
        hint = "write services with `from` into longshore.yaml"
        return None, [ConfigProblem(document.place((*path, "from"), key=True), what, (*path, "from"), hint)]
    if service.raw is not None:
        what, hint = "lines of your own stand in longshore.yaml only", "write the service there"
        return None, [ConfigProblem(document.place((*path, "raw"), key=True), what, (*path, "raw"), hint)]
    spec, problems = check_service(name, service, document)
    return (fixed(name, service, spec, document) if spec else None), problems
