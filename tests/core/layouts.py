"""Layouts that between them use every line the renderer knows: rendered to the goldens, checked by every HAProxy.

`python -m tests.core.layouts` writes the goldens anew: read the difference before you commit it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.model import Check, Endpoint, Policy, Resolvers, Route, Service, Template
from longshore.core.profile import profile_of
from longshore.core.raw import Line, RawProcess
from longshore.core.render import Admin, Backend, Bind, Frontend, Layout, Paths, Process, render
from longshore.core.routes import frontend_of
from longshore.core.server import server_of
from longshore.core.template import slots_of

HASH = "$5$Kd0FQh1zqZ3nYb9c$wWk0Y2Zc4s1lq5vJ7yq1cHcQfN0w7bqkUo1v9hX3a22"
HTTP_CHECK = Check(kind="http", path="/health", host="a.test")


def endpoints(*addresses: str) -> tuple[Endpoint, ...]:
    """Endpoints called one, two, … at these addresses, port 8000."""
    names = ("one", "two", "three", "four")
    return tuple(Endpoint(f"{a}:8000", n, a, 8000) for n, a in zip(names, addresses, strict=False))


def layout_of(
    services: tuple[Service, ...],
    caps: Capabilities,
    paths: Paths,
    *,
    process: Process | None = None,
    frontends: tuple[Frontend, ...] | None = None,
    admin: Mapping[str, Admin] | None = None,
    spare: int = 1,
) -> Layout:
    """One backend for each service and `spare` free slots of each profile; `admin` is by endpoint name."""
    if frontends is None:
        frontends = (Frontend("http", "http", (Bind(":80"),), paths.route_map("")),)
    own: dict[str, Frontend] = {}
    for service in services:
        for route in service.routes:
            name = frontend_of(route, service.mode)
            if name:
                file = paths.tcp_map if service.mode == "tcp" else paths.route_map(name)
                own[name] = Frontend(name, service.mode, (Bind(route.listen),), file)
    profiles = {p.name: p for p in (profile_of(s, caps, paths) for s in services)}
    backends = []
    for service in services:
        servers = tuple((server_of(service, e, caps), (admin or {}).get(e.name, "ready")) for e in service.endpoints)
        profile = profile_of(service, caps, paths).name
        backends.append(Backend(f"s:{service.name}", profile, servers, slots_of(service, caps)))
    for name in profiles:
        backends += [Backend(f"slot:{name}:{n:03}", name) for n in range(1, spare + 1)]
    return Layout(process or Process(paths), frontends + tuple(own.values()), tuple(profiles.values()), tuple(backends))


def _empty(caps: Capabilities, paths: Paths) -> Layout:
    return layout_of((), caps, paths)


def _simple(caps: Capabilities, paths: Paths) -> Layout:
    web = Service("web", routes=(Route("a.test"),), endpoints=endpoints("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    return layout_of((web,), caps, paths, admin={"two": "drain", "three": "maint"})


POLICIES: Mapping[str, Policy] = {
    "check": Policy(
        check=replace(
            HTTP_CHECK,
            status="200,204,300-399",
            expect='it\'s "fine" #1 $HOME \\n %[src]',
            interval=0.5,
            rise=2,
            fall=3,
        )
    ),
    "unchecked": Policy(check=Check(kind="none")),
    "limits": Policy(max_connections=20, slow_start=30, queue_timeout=5, retries=0, timeout=0),
    "sticky": Policy(sticky="route", redirect_https=True),
    "safe": Policy(tls=True, hsts=31536000, auth=(f"ann:{HASH}", f"it's:{HASH}")),
    "held": Policy(hold=5),
    "stripped": Policy(strip_path=True),
    "stripped-differently": Policy(strip_path=True),
    "secure-verified": Policy(server_tls="verify", check=HTTP_CHECK),
    "secure-insecure": Policy(server_tls="insecure"),
}


def _policies(caps: Capabilities, paths: Paths) -> Layout:
    one = endpoints("10.0.0.1", "fd00::2")
    routes = {
        "stripped": (Route("a.test", "/api"), Route("b.test", "/app", exact=True)),
        "stripped-differently": (Route("a.test", "/"), Route("a.test", "/a"), Route("a.test", "/it's/b c")),
    }
    services = [
        Service(n, routes=routes.get(n, (Route(f"{n}.test"),)), policy=p, endpoints=one) for n, p in POLICIES.items()
    ]
    spare = (replace(one[0], weight=256), replace(one[1], backup=True, weight=0))
    services.append(Service("fallback", routes=(Route("*"),), endpoints=spare))
    return layout_of(tuple(services), caps, paths)


BALANCES = (
    "roundrobin", "static-rr", "leastconn", "first", "source", "uri", "uri depth 2", "uri len 10 whole",
    "uri path-only",
    "url_param(id)", "url_param(id) check_post", "hdr(X-User)", "random", "random(4)", "rdp-cookie", "rdp-cookie(name)",
    "hash path", "hash src", "hash req.cook(user)", "hash url_param(id)", "hdr(host) use_domain_only",
)  # fmt: skip
TCP_BALANCES = ("roundrobin", "leastconn", "first", "source", "random", "rdp-cookie", "static-rr", "hash src")


def _balances(caps: Capabilities, paths: Paths) -> Layout:
    services = [
        Service(f"h{n}", policy=Policy(balance=b), endpoints=endpoints("10.0.0.1")) for n, b in enumerate(BALANCES)
    ]
    services += [
        Service(f"t{n}", "tcp", (Route(listen=f":{7000 + n}"),), Policy(balance=b), endpoints("10.0.0.1"))
        for n, b in enumerate(TCP_BALANCES)
    ]
    return layout_of(tuple(services), caps, paths, spare=0)


def _tcp(caps: Capabilities, paths: Paths) -> Layout:
    database = Policy(balance="leastconn", hold=2, check=HTTP_CHECK)
    services = (
        Service("db", "tcp", (Route(listen=":5432"), Route(listen="[::1]:5433")), database, endpoints("10.0.0.1")),
        Service("mail", "tcp", (Route(listen="127.0.0.1:25"),), Policy(server_tls="insecure"), endpoints("10.0.0.1")),
        Service("own", "http", (Route(listen=":8080"),), endpoints=endpoints("10.0.0.1")),
    )
    return layout_of(services, caps, paths)


def _everything(caps: Capabilities, paths: Paths) -> Layout:
    certificates = f"{paths.state}/certs"
    frontends = (
        Frontend("http", "http", (Bind(":80"), Bind("[::]:80"), Bind("[::]:81")), paths.route_map("")),
        Frontend(
            "https",
            "http",
            (Bind("127.0.0.1:8443", certificates, proxy_protocol=True, strict_sni=True, options=("maxconn", "100")),),
            paths.route_map(""),
        ),
    )
    own = RawProcess((Line("tune.maxaccept 10"), Line("description owned")))
    process = Process(paths, "nobody", "nogroup", 1000, "127.0.0.1:1936", True, 2, 30.5, own)
    services = (
        Service("web", routes=(Route("a.test"),), endpoints=endpoints("10.0.0.1")),
        Service("db", "tcp", (Route(listen=":5432"),), endpoints=endpoints("10.0.0.1")),
    )
    return layout_of(services, caps, paths, process=process, frontends=frontends)


def _resolved(caps: Capabilities, paths: Paths) -> Layout:
    docker = Resolvers(("127.0.0.11:53",))
    six = Resolvers(("10.0.0.53:5353", "[fd00::53]:53"), "ipv6", 2.5, 0.5, 0)
    held = Policy(hold=5, sticky="route", check=HTTP_CHECK, max_connections=20, slow_start=10)
    services = (
        Service("web", routes=(Route("a.test"),), template=Template("tasks.web", 8000, resolvers=docker)),
        Service(
            "api", routes=(Route("b.test"),), policy=held, template=Template("_api._tcp.x.test", 0, 7, 50, True, six)
        ),
        Service("db", "tcp", (Route(listen=":5432"),), template=Template("db", 5432, resolvers=docker)),
        Service(
            "both",
            routes=(Route("c.test"),),
            policy=Policy(server_tls="verify", balance="static-rr"),
            endpoints=endpoints("10.0.0.1"),
            template=Template("both", 443, resolvers=docker),
        ),
    )
    return layout_of(services, caps, paths)


LAYOUTS: Mapping[str, Callable[[Capabilities, Paths], Layout]] = {
    "empty": _empty,
    "simple": _simple,
    "policies": _policies,
    "balances": _balances,
    "tcp": _tcp,
    "everything": _everything,
    "resolved": _resolved,
}

GOLDENS = Path(__file__).with_name("goldens")
GOLDEN_OF = [(n, series) for n in LAYOUTS if n != "balances" for series in ((2, 6), (3, 4))]  # one long list of words


def golden(name: str, series: tuple[int, int]) -> tuple[Path, str]:
    """The golden file of a layout, and what the renderer makes of it now."""
    caps = TYPICAL[series]
    text = render(LAYOUTS[name](caps, Paths("/var/lib/longshore")), caps)
    return GOLDENS / f"{name}-{series[0]}.{series[1]}.cfg", text


if __name__ == "__main__":
    for layout_name, layout_series in GOLDEN_OF:
        file, now = golden(layout_name, layout_series)
        file.write_text(now)
