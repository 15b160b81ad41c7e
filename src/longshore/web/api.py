"""The HTTP API: what `longshore status` and its kin use, and programs may. The table `ROUTES` is all there is.

GET never changes anything. POST takes a JSON object. Every error is `{"error": …, "hint": …}` (`answers`); who may call
is in `guard`. The same application is served on the unix socket and on the admin address (`server`).
"""

from __future__ import annotations

import math
from typing import Any

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from longshore.agent.report import PARTLY, AdminState, Agent, Status
from longshore.web.answers import BODY_LIMIT, Fault, answer, bad, body, errors
from longshore.web.follow import Follower
from longshore.web.guard import guard

LONGEST_WAIT = 3600.0
ROUTES = (
    ("GET", "/v1/status", "status", "everything: HAProxy, sources, services, endpoints, problems; ?after=SEQ waits"),
    ("GET", "/v1/explain", "explain", "?url=… where a request would go, and why"),
    ("GET", "/v1/events", "events", "the journal; ?after=SEQ, ?follow for server-sent events"),
    ("GET", "/v1/wait", "wait", "?service=…&count=1&timeout=60 until that many endpoints are up"),
    ("POST", "/v1/drain", "drain", '{"service": …, "endpoint": …} no new sessions; "maint": true for none at all'),
    ("POST", "/v1/ready", "ready", '{"service": …, "endpoint": …} back into rotation'),
    ("POST", "/v1/weight", "weight", '{"service": …, "endpoint": …, "weight": 0…256, or null for its own}'),
    ("POST", "/v1/thaw", "thaw", '{"source": …} let go what a frozen source keeps'),
    ("POST", "/v1/reload", "reload", '{"reason": …} read the configuration again, reload HAProxy'),
    ("POST", "/v1/mend", "mend", "{} compare HAProxy with what it should run, and mend it"),
    ("GET", "/metrics", "metrics", "for Prometheus"),
    ("GET", "/healthz", "healthz", "200 while longshore is alive"),
    ("GET", "/readyz", "readyz", "200 once HAProxy runs what the sources said"),
    ("GET", "/", "index", "this page"),
)


class Api:
    """Answers requests by asking the agent."""

    def __init__(self, agent: Agent, follower: Follower) -> None:
        self.agent = agent
        self.follower = follower

    async def index(self, request: web.Request) -> web.Response:
        """List what there is, for people."""
        rows = "\n".join(f"  {method:4} {path:12} {what}" for method, path, _, what in ROUTES)
        return web.Response(text=f"longshore {self.agent.status().version}\n\n{rows}\n")

    async def status(self, request: web.Request) -> web.Response:
        """Tell everything; with `after`, as soon as something has changed since then."""
        after = whole(request, "after", -1, 0, 2**63)
        timeout = seconds(request, 30.0)
        status, _ = await self.follower.until(lambda status: status.seq != after, timeout)
        return await answer(status)

    async def explain(self, request: web.Request) -> web.Response:
        """Say where a request for the URL would go."""
        url = request.query.get("url", "")
        if not url:
            bad("no URL", "like /v1/explain?url=http://shop.localhost/cart")
        return await answer(self.agent.explain(url))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell the journal, or stream it."""
        after = whole(request, "after", 0, 0, 2**63)
        if request.query.get("follow", "false").lower() not in ("0", "false", "no"):
            seen = request.headers.get("Last-Event-ID", "")
            return await self.follower.stream(request, int(seen) if seen.isascii() and seen.isdigit() else after)
        return await answer({"events": self.agent.events(after)})

    async def wait(self, request: web.Request) -> web.Response:
        """Wait until a service has this many endpoints up. It need not exist yet."""
        service = request.query.get("service", "")
        if not service:
            bad("no service", "like /v1/wait?service=shop-web&count=2&timeout=30")
        count = whole(request, "count", 1, 0, 100_000)
        timeout = seconds(request, 60.0)
        status, good = await self.follower.until(lambda status: up(status, service) >= count, timeout)
        found = max(up(status, service), 0)
        if not good:
            known = status.service(service) is not None
            raise Fault(
                504,
                f"service {service} has {found} of {count} endpoints up" if known else f"no service {service}",
                f"longshore status says why; waited {timeout:g} s",
            )
        return await answer({"service": service, "up": found, "count": count})

    async def drain(self, request: web.Request) -> web.Response:
        """Take an endpoint, or all of a service, out of rotation."""
        asked = await body(request, {"service", "endpoint", "maint"}, {"service"})
        maint = asked.get("maint", False)
        if not isinstance(maint, bool):
            bad("maint is neither true nor false")
        return await self._admin(asked, "maint" if maint else "drain")

    async def ready(self, request: web.Request) -> web.Response:
        """Put an endpoint, or all of a service, back into rotation."""
        return await self._admin(await body(request, {"service", "endpoint"}, {"service"}), "ready")

    async def weight(self, request: web.Request) -> web.Response:
        """Set a weight, or take it back."""
        asked = await body(request, {"service", "endpoint", "weight"}, {"service", "weight"})
        weight = asked["weight"]
        if weight is not None and (type(weight) is not int or not 0 <= weight <= 256):
            bad("the weight is not a whole number from 0 to 256", "null takes the operator's weight back")
        service, endpoint = target(asked)
        return await answer(await self.agent.set_weight(service, endpoint, weight))

    async def thaw(self, request: web.Request) -> web.Response:
        """Let go what a frozen source keeps."""
        source = (await body(request, {"source"}, {"source"}))["source"]
        if not isinstance(source, str) or not source:
            bad("the source is not a name")
        return await answer(await self.agent.thaw(source))

    async def reload(self, request: web.Request) -> web.Response:
        """Reload now."""
        reason = (await body(request, {"reason"})).get("reason") or "asked for over the API"
        if not isinstance(reason, str):
            bad("the reason is not text")
        return await answer({"what": await self.agent.reload(reason)})

    async def mend(self, request: web.Request) -> web.Response:
        """Find and mend drift."""
        await body(request, set())
        return await answer({"drift": await self.agent.mend()})

    async def metrics(self, request: web.Request) -> web.Response:
        """Tell the metrics."""
        return web.Response(body=self.agent.metrics(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def healthz(self, request: web.Request) -> web.Response:
        """Say that the process lives."""
        return web.Response(text="alive\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """Say whether HAProxy runs what the sources said."""
        status = self.agent.status()
        if status.ready:
            return web.Response(text=f"{PARTLY if status.unserved else 'ready'}\n")
        return web.Response(text="not ready yet\n", status=503)

    async def _admin(self, asked: dict[str, Any], state: AdminState) -> web.Response:
        service, endpoint = target(asked)
        return await answer(await self.agent.set_admin(service, endpoint, state))


def application(agent: Agent, *, token: str = "", unix: bool) -> web.Application:
    """Make the application for one way in: the unix socket, or TCP with or without a token."""
    follower = Follower(agent)
    api = Api(agent, follower)
    app = web.Application(middlewares=[errors, guard(token, unix=unix)], client_max_size=BODY_LIMIT)
    for method, path, handler, _ in ROUTES:
        app.router.add_route(method, path, getattr(api, handler))
        if method == "GET":
            app.router.add_route("HEAD", path, getattr(api, handler))

    async def close(app: web.Application) -> None:
        follower.close()

    app.on_shutdown.append(close)
    return app


def up(status: Status, service: str) -> int:
    """How many endpoints of a service get traffic; -1 when there is no such service."""
    found = status.service(service)
    return found.up if found else -1


def target(asked: dict[str, Any]) -> tuple[str, str | None]:
    """Read which service, or which endpoint of it, is meant."""
    service, endpoint = asked["service"], asked.get("endpoint")
    if not isinstance(service, str) or not service:
        bad("the service is not a name")
    if endpoint is not None and (not isinstance(endpoint, str) or not endpoint):
        bad("the endpoint is neither a name nor null")
    return service, endpoint


def whole(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """Read a whole number of the query."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        bad(f"{name} is not a whole number from {least} on", f"{name}={default}" if default >= 0 else "")
    return int(text)


def seconds(request: web.Request, default: float) -> float:
    """Read how long to wait, at most an hour."""
    text = request.query.get("timeout")
    if text is None:
        return default
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= LONGEST_WAIT:
        bad(f"timeout is not a number of seconds from 0 to {LONGEST_WAIT:g}", "like timeout=30")
    return value
