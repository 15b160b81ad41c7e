"""Where HAProxy listens: frontends, their addresses, and the rules that find a request's service.

`core.routes` explains the look-up. Everything a request needs to be routed is in maps, so routes change at runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from longshore.core import quote, raw_lines
from longshore.core.capabilities import Capabilities
from longshore.core.model import Mode
from longshore.core.profile_lines import NOT_FOUND
from longshore.core.raw import Line, RawFrontend
from longshore.core.routes import LEVELS

DEFAULTS: Mapping[Mode, str] = {
    "http": "frontends:http",
    "tcp": "frontends:tcp",
}  # names of the `defaults` sections of frontends
RAW: Mapping[Mode, str] = {"http": "raw:http", "tcp": "raw:tcp"}  # and of those with the operator's own lines


@dataclass(frozen=True, slots=True)
class Bind:
    """One address of a frontend."""

    address: str  # ":80", "127.0.0.1:80", "[::]:80" (IPv4 as well, unless another bind has that port)
    certificates: str = ""  # absolute path of a PEM file, a folder of them, or a crt-list; "" is plain
    proxy_protocol: bool = False  # clients are proxies that speak the PROXY protocol
    strict_sni: bool = False  # refuse TLS clients that ask for a name without a certificate; else the first answers
    options: tuple[str, ...] = ()  # further words, the operator's own

    @property
    def port(self) -> str:
        """The port as written: "80"; "" for a unix socket."""
        port = self.address.rpartition(":")[2]
        return port if port.isdecimal() else ""


@dataclass(frozen=True, slots=True)
class Frontend:
    """One frontend. Several frontends may share a map."""

    name: str  # "http", "https", "listen-8080", "tcp-5432"
    mode: Mode
    binds: tuple[Bind, ...]
    map: str  # the file of its map; "" if all goes to one backend
    raw: RawFrontend | None = None  # all goes to one backend, by the operator's own lines


_BASE: Mapping[Mode, tuple[str, ...]] = {
    "http": (
        "timeout client 60s",
        "timeout http-request 10s",
        "timeout http-keep-alive 60s",
        "option idle-close-on-response",  # a reload must not cut off a client that is about to send
    ),
    "tcp": ("timeout client 60s", "option clitcpka"),  # until it is connected; then `timeout tunnel` of the service
}


def defaults(frontends: Iterable[Frontend], own: tuple[Line, ...]) -> Iterator[str]:
    """Yield the `defaults` sections of all frontends. `own` are the operator's lines for frontends with such."""
    for mode, name in DEFAULTS.items():
        yield from ("", f"defaults {name}", f"    mode {mode}")
        yield from ("    " + line for line in _BASE[mode])
    for mode in sorted({frontend.mode for frontend in frontends if frontend.raw}):
        yield from ("", f"defaults {RAW[mode]}", f"    mode {mode}")
        yield from ("    " + line for line in raw_lines.without_said(_BASE[mode], own))
        yield from ("    " + quote.line(line.text) for line in own)


def section(
    frontend: Frontend, caps: Capabilities, https_port: str, both: frozenset[str], log_service: str
) -> Iterator[str]:
    """Yield the lines of one frontend.

    `https_port` is the suffix of redirections to https (":8443", "" for 443); `both` holds the ports that have binds
    of their own for IPv4 and IPv6; `log_service` is the map for the access log, "" without one.
    """
    name = quote.word(frontend.name)
    yield f"frontend {name} from {RAW[frontend.mode] if frontend.raw else DEFAULTS[frontend.mode]}"
    if caps.guid:
        yield f"    guid f:{name}"
    for bind in frontend.binds:
        yield "    " + _bind(bind, frontend.mode, both) + (f" {frontend.raw.bind}" if frontend.raw else "").rstrip()
    if frontend.raw:
        yield from _raw(frontend.raw, frontend.mode, log_service)
        return
    if log_service:
        yield "    log global"
        yield f'    log-format "{_log_format(frontend.mode, log_service)}"'
    rules = _http_rules(frontend, https_port) if frontend.mode == "http" else _tcp_rules(frontend)
    for rule in rules:
        yield "    " + rule


def _raw(raw: RawFrontend, mode: Mode, log_service: str) -> Iterator[str]:
    if log_service and not any(line.startswith(("log", "option httplog", "option tcplog")) for line in raw.lines):
        yield "    log global"
        yield f'    log-format "{_log_format(mode, log_service)}"'
    yield from ("    " + quote.line(line) for line in raw.lines)
    yield f"    default_backend {quote.word(raw.backend)}"


def _bind(bind: Bind, mode: Mode, both: frozenset[str]) -> str:
    words = ["bind", quote.quote(bind.address)]
    if "[" in bind.address:
        words.append("v6only" if bind.port in both else "v4v6")
    if bind.proxy_protocol:
        words.append("accept-proxy")
    if bind.certificates:
        words += ["ssl", "crt", quote.quote(bind.certificates)]
        words += ["alpn", "h2,http/1.1"] if mode == "http" else []
        words += ["strict-sni"] if bind.strict_sni else []
    return " ".join([*words, *(quote.quote(word) for word in bind.options)])


def _http_rules(frontend: Frontend, https_port: str) -> Iterator[str]:
    yield "http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)"
    yield 'http-request set-var(txn.tail) "path,concat(/#)"'
    yield f'http-request set-var(txn.https_port) "str({https_port})"'
    file = quote.path(frontend.map)
    yield f"http-request set-var(txn.backend) var(txn.host),concat(,txn.tail),map_beg({file})"
    yield from _forwarded()
    yield "http-request allow if { var(txn.backend) -m found }"  # most requests need no rule below this one
    yield from _look_further(file)
    missing = "!{ var(txn.backend) -m found }"
    yield f"http-request return status 404 content-type text/plain string {NOT_FOUND} if {missing}"
    yield "use_backend %[var(txn.backend)]"


def _look_further(file: str) -> Iterator[str]:
    """Look up the domains above the host, then every host."""
    missing = "!{ var(txn.backend) -m found }"
    found = f"map_beg({file})"
    below = "txn.host"
    for level in range(1, LEVELS + 1):
        parent = f"txn.parent{level}"
        yield f"http-request set-var({parent}) var({below}),field(2,.,0) if {missing}"
        yield f"http-request set-var(txn.backend) str(*.),concat(,{parent}),concat(,txn.tail),{found} if {missing}"
        below = parent
    yield f"http-request set-var(txn.backend) str(*),concat(,txn.tail),{found} if {missing}"


def _forwarded() -> Iterator[str]:
    """What services are told about the client. What clients say about themselves is not trusted."""
    yield "http-request set-header X-Forwarded-For %[src]"
    yield "http-request set-header X-Real-IP %[src]"
    yield "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]"
    yield "http-request set-header X-Forwarded-Host %[req.hdr(host)]"
    yield "http-request set-header X-Forwarded-Port %[dst_port]"
    yield "http-request del-header X-Forwarded-Prefix"
    yield "http-request del-header Forwarded"


def _tcp_rules(frontend: Frontend) -> Iterator[str]:
    yield f"use_backend %[fe_name,map({quote.path(frontend.map)})]"


def _log_format(mode: Mode, log_service: str) -> str:
    """HAProxy's own format (configuration manual, 8.2), with the service's name at the end."""
    service = f"%[be_name,map({log_service},-)]"
    if mode == "tcp":
        return f"%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq {service}"
    times, counts = "%TR/%Tw/%Tc/%Tr/%Ta", "%ac/%fc/%bc/%sc/%rc %sq/%bq"
    return f"%ci:%cp [%tr] %ft %b/%s {times} %ST %B %CC %CS %tsc {counts} %hr %hs %{{+Q}}r {service}"
