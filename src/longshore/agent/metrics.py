"""The metrics of the agent, for Prometheus: what the status says, and how fast changes were routed.

HAProxy's own exporter tells about the traffic; here is what only longshore knows. Names of services and sources are
labels; endpoints are counted, never labelled, so that the number of series does not grow with every container that ran.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from longshore.agent.report import HaproxyStatus, RegistrarStatus, ShownState, Status

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STATES: tuple[ShownState, ...] = ("up", "down", "waiting", "checking", "stopping", "drain", "maint", "off", "standby")


class Metrics:
    """The agent's registry: `routed`, `applied`, `step` and `reload` are told by the agent, the rest is its status."""

    def __init__(self, status: Callable[[], Status]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series and tell little
        self._registry = CollectorRegistry()
        self._routed = Histogram(
            "longshore_routed_seconds",
            "From the event at the source to the endpoint's first possible request",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._applied = Histogram(
            "longshore_plan_seconds", "Time to apply one plan", buckets=SECONDS, registry=self._registry
        )
        self._steps = Counter("longshore_steps", "Steps sent to HAProxy", ["kind", "result"], registry=self._registry)
        self._registered = Histogram(
            "longshore_registered_seconds",
            "From the moment an endpoint is fit to the moment it stands in a registry",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._checks = Counter("longshore_register_checks", "Checks made", ["kind", "result"], registry=self._registry)
        self._registry.register(_Shown(status))

    def routed(self, seconds: float) -> None:
        """An endpoint got into rotation this long after the event that announced it."""
        self._routed.observe(max(0.0, seconds))

    def applied(self, seconds: float) -> None:
        """A plan took this long."""
        self._applied.observe(seconds)

    def step(self, kind: str, *, ok: bool) -> None:
        """One step was sent; `kind` is the step's class, like "AddServer"."""
        self._steps.labels(kind, "ok" if ok else "refused").inc()

    def registered(self, seconds: float) -> None:
        """An entry stood in a registry this long after it was wanted."""
        self._registered.observe(max(0.0, seconds))

    def checked(self, kind: str, *, ok: bool) -> None:
        """The registrar checked an endpoint."""
        self._checks.labels(kind, "ok" if ok else "failed").inc()

    def text(self) -> bytes:
        """Render everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _Shown(Collector):
    """Turns the status into metrics when it is asked."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        return []  # so that registering does not ask for a status before there is one

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        haproxy = status.haproxy
        yield _one("longshore_info", "Versions", 1, version=status.version, haproxy=haproxy.version if haproxy else "")
        yield _one("longshore_start_time_seconds", "When this longshore started", status.started)
        yield _one("longshore_ready", "1 once everything stands as it should", float(status.ready))
        yield _one("longshore_problems", "Problems that wait for a person", len(status.problems))
        if haproxy is not None:
            yield from _balancer(status, haproxy)
        if status.registrar is not None:
            yield from _registrar(status.registrar)


def _balancer(status: Status, haproxy: HaproxyStatus) -> Iterator[Metric]:
    yield _one("longshore_pending", "Changes planned and not done yet", len(status.pending))
    yield _one("longshore_haproxy_running", "1 while HAProxy runs", float(haproxy.state == "running"))
    yield _count("longshore_haproxy_reloads", "Reloads of HAProxy", haproxy.reloads)
    yield _count("longshore_plans", "Plans applied", status.plans.plans)
    yield _count("longshore_plan_failures", "Steps that HAProxy refused", status.plans.failed)
    yield _count("longshore_drift", "Differences found in HAProxy that longshore had not made", status.plans.drift)
    yield from _sources(status)
    yield _endpoints(status)


def _registrar(registrar: RegistrarStatus) -> Iterator[Metric]:
    labels = ["registry", "type"]
    current = GaugeMetricFamily("longshore_registry_current", "1 while the registry takes what we say", labels=labels)
    for registry in registrar.registries:
        current.add_metric([registry.name, registry.type], float(registry.state == "current"))
    leases = GaugeMetricFamily("longshore_leases", "Entries of this host by state", labels=["registry", "state"])
    tally = Tally((lease.registry, lease.state) for lease in registrar.leases)
    tally.update({(registry.name, "held"): 0 for registry in registrar.registries})  # no series is not the same as none
    for (name, state), count in sorted(tally.items()):
        leases.add_metric([name, state], count)
    yield from (current, leases)


def _sources(status: Status) -> Iterator[Metric]:
    current = GaugeMetricFamily(
        "longshore_source_current", "1 while the source is up to date", labels=["source", "type"]
    )
    services = GaugeMetricFamily("longshore_source_services", "Services a source knows", labels=["source", "type"])
    endpoints = GaugeMetricFamily("longshore_source_endpoints", "Endpoints a source knows", labels=["source", "type"])
    for source in status.sources:
        labels = [source.name, source.type]
        current.add_metric(labels, float(source.state == "current"))
        services.add_metric(labels, source.services)
        endpoints.add_metric(labels, source.endpoints)
    yield from (current, services, endpoints)


def _endpoints(status: Status) -> Metric:
    family = GaugeMetricFamily("longshore_endpoints", "Endpoints of a service by state", labels=["service", "state"])
    for service in status.services:
        tally = Tally(endpoint.state for endpoint in service.endpoints)
        for state in STATES:
            if state in tally or state == "up":  # "up" always: no series is not the same as none up
                family.add_metric([service.name, state], tally[state])
    return family


def _one(name: str, what: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, what, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _count(name: str, what: str, value: float) -> Metric:
    family = CounterMetricFamily(name, what)
    family.add_metric([], value)
    return family
