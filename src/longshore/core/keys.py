"""The keys: everything that can be said of a service, in labels, in service files and in the configuration.

One flat table, in the order of the reference page, which is made from it (`reference`). A key's reader gives the value
that `spec.Spec` keeps under the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from longshore.core import balance, places, values
from longshore.core.register_check import register_check


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name, how its value is read, and what the reference says of it."""

    name: str
    parse: Callable[[object], object]
    example: str
    summary: str
    default: str = ""  # for people
    operator: Callable[[object], object] | None = None  # how it is read in the operator's own files, if otherwise

    @property
    def field(self) -> str:
        """The attribute of `Spec` that holds the value."""
        return self.name.replace("-", "_")


_weight = values.whole(0, 256)
_times = values.whole(1, 100)

_ALL = (
    # what it is
    Key(
        "enable",
        values.switch,
        "true",
        "Whether the container takes part. `false` takes it out whatever else it says.",
        "true",
    ),
    Key(
        "service",
        values.name,
        "web",
        "Name of the service. Containers with the same name share its traffic.",
        "see Grouping",
    ),
    # what brings requests
    Key(
        "host",
        values.listed(places.host),
        "a.example.com, *.b.example.com",
        "Hosts the service answers: exact, `*.` for any depth below, or `*` for every host.",
        "`<service>.localhost`, or `*` with `path` or `listen`",
    ),
    Key(
        "path",
        values.listed(places.path),
        "/api, =/exact",
        "Paths: `/api` and everything below it, or after `=` only this path. The longest wins.",
        "/",
    ),
    Key("strip-path", values.switch, "true", "Remove the matched path before the request goes on.", "false"),
    Key(
        "listen",
        values.listed(places.listen),
        ":8080",
        "An HTTP address of its own, in place of the common frontends. In files also `unix@/path`, a socket.",
        operator=values.listed(places.listen_anywhere),
    ),
    Key(
        "tcp",
        values.listed(places.listen),
        ":5432",
        "A TCP address of its own; the service is not HTTP then. In files also `unix@/path`, a socket.",
        operator=values.listed(places.listen_anywhere),
    ),
    # where its endpoints are
    Key("port", places.port, "8000", "The container's port.", "its only exposed TCP port"),
    Key(
        "network",
        values.name,
        "front",
        "Which of the shared networks to use.",
        "Compose's default network, then by name",
    ),
    Key(
        "address",
        places.address,
        "published",
        "Where the endpoint is reached: an IP, `IP:port`, `published` (the published port) or `host`.",
        "a shared network, else a published port, else the host",
    ),
    Key(
        "weight",
        _weight,
        "50",
        "Share of the traffic, 0 to 256, relative to the others. 0 gets no new requests.",
        "100",
    ),
    Key("backup", values.switch, "true", "Gets traffic only while no other endpoint is up.", "false"),
    Key(
        "server-tls",
        values.server_tls,
        "verify",
        "Speak TLS to the endpoints: `verify` or `insecure` (any certificate).",
        "false",
    ),
    # how traffic is shared
    Key(
        "balance",
        balance.algorithm,
        "leastconn",
        "HAProxy's algorithm: roundrobin, static-rr, leastconn, first, random(2), source, uri, url_param(id), "
        "hdr(X-User), hash path, rdp-cookie.",
        "roundrobin",
    ),
    Key(
        "sticky",
        values.cookie,
        "SRV",
        "Name of a cookie that binds a client to an endpoint; `true` names it for you.",
        "off",
    ),
    Key("slow-start", values.duration, "30s", "Time over which an endpoint that became up gets its full share.", "off"),
    Key(
        "max-connections",
        values.whole(0, 1_000_000),
        "100",
        "Concurrent requests per endpoint; the rest wait in line.",
        "unlimited",
    ),
    # how endpoints are checked
    Key("check", places.check, "/health", "`tcp`, `none`, or the path of an HTTP check.", "tcp"),
    Key("check-method", values.method, "OPTIONS", "Method of the HTTP check: GET, HEAD or OPTIONS.", "GET"),
    Key("check-host", places.check_host, "a.example.com", "Host header of the HTTP check."),
    Key("check-status", values.status, "200-299,401", "Status codes the HTTP check accepts.", "200-399"),
    Key("check-expect", values.expected_text, "ready", "Text the body of the HTTP check must contain."),
    Key("check-interval", values.period, "5s", "Time between checks once they succeed.", "10s"),
    Key("check-timeout", values.period, "1s", "Longest wait for one check.", "2s"),
    Key("check-rise", _times, "2", "Successes in a row until an endpoint is up again.", "1"),
    Key("check-fall", _times, "3", "Failures in a row until an endpoint is down.", "2"),
    # who may come, and how
    Key("tls", values.switch, "true", "Answer only over TLS; 404 otherwise.", "false"),
    Key("redirect-https", values.switch, "true", "Plain HTTP is answered with a redirect to https.", "false"),
    Key(
        "hsts",
        values.max_age,
        "365d",
        "Strict-Transport-Security with this max-age, over TLS; `true` is a year.",
        "off",
    ),
    Key(
        "auth",
        values.listed(values.credentials),
        "ann:$2y$05$…",
        "HTTP Basic: `user:hash`, made with `htpasswd -nB` or `mkpasswd`. Plain passwords are refused.",
        "off",
    ),
    # time
    Key("hold", values.duration, "10s", "Requests wait this long for an endpoint while none is up, before 503.", "off"),
    Key(
        "drain", values.duration, "60s", "How long an operator's drain waits for running requests; 0 is for ever.", "0"
    ),
    Key("timeout", values.period, "5m", "Longest silence of an endpoint within a request.", "60s"),
    Key("connect-timeout", values.period, "2s", "Longest wait for one connection attempt.", "500ms"),
    Key("queue-timeout", values.period, "10s", "Longest wait in line.", "30s"),
    Key("tunnel-timeout", values.period, "8h", "Longest silence of a websocket or a TCP connection.", "1h"),
    Key(
        "retries",
        values.whole(0, 100),
        "3",
        "Further attempts after the first, where nothing is sent twice that must not be.",
        "20",
    ),
    # several hosts
    Key(
        "prefer",
        values.one_of("host", "zone"),
        "zone",
        "Endpoints of the balancer's own `host` or `zone` get the traffic while any is up.",
        "off",
    ),
    Key(
        "zone-weights",
        values.zone_weights,
        "eu-1a=100, eu-1b=20",
        "How much endpoints of a zone count, in per cent of their weight. 0: only while no other is up.",
        "100 for every zone",
    ),
    Key(
        "only",
        values.one_of("leader"),
        "leader",
        "One endpoint gets all traffic: the one with the smallest id. The next one takes over at once.",
        "off",
    ),
    Key("zone", values.name, "eu-1a", "Where the endpoint is: a data centre, a rack.", "the registrar's `zone`"),
    Key(
        "register",
        values.switch,
        "false",
        "Whether the registrar writes the container into registries.",
        "true; with `expose: all` without any label",
    ),
    Key(
        "register-address",
        places.address,
        "10.0.0.5",
        "What the registrar writes as address: an IP, `IP:port`, `published` or `host`.",
        "an address other hosts can reach",
    ),
    Key(
        "register-check",
        register_check,
        "grpc",
        "How the registrar checks: `tcp`, `tls`, `/path`, `https:/path`, `grpc`, `grpc:NAME`, `redis`, `exec:COMMAND`, "
        "`docker` (its HEALTHCHECK) or `none`.",
        "`docker` if there is one, else `check`",
    ),
    Key(
        "deregister-delay",
        values.duration,
        "5s",
        "How long the container's end is put off after its entry is withdrawn.",
        "`register.deregister-delay`",
    ),
)

KEYS: dict[str, Key] = {key.name: key for key in _ALL}


def closest(word: str) -> str:
    """Give the key that `word` most likely means, "" if none is near."""
    tidy = word.lower().replace("_", "-").replace(".", "-")
    if tidy in KEYS:
        return tidy
    found = get_close_matches(tidy, KEYS, 3, 0.7)
    swapped = [key for key in found if sorted(key) == sorted(tidy)]  # "hots" is host, not hsts
    return (swapped or found or [""])[0]


def reference() -> str:
    """Give the table of all keys as Markdown, for docs/reference/keys.md."""
    rows = [
        f"| `{key.name}` | `{key.example}` | {key.summary} | {key.default or '-'} |".replace("\n", " ")
        for key in KEYS.values()
    ]
    return "\n".join(["| key | example | meaning | default |", "|---|---|---|---|", *rows, ""])
