"""The lines of a profile, group by group, in the order in which HAProxy works through a request.

Only what a named `defaults` section may hold (no stick tables, no filters, no use-server), so that HAProxy 3.4 can make
backends of it at runtime. Keywords are those of the configuration manual of 2.6, sections 4.2 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator

from longshore.core import balance, hold, quote, raw_lines
from longshore.core.capabilities import Capabilities
from longshore.core.model import Route, Service
from longshore.core.paths import Paths
from longshore.core.raw import Line

_REPEATABLE = "{ method GET HEAD OPTIONS }"  # and rarely with a body: safe to send again on another connection
_REPLAYABLE = "{ method GET HEAD OPTIONS PUT DELETE TRACE }"  # the same effect when done twice (RFC 9110, 9.2.2)


def lines_of(service: Service, caps: Capabilities, paths: Paths, own: tuple[Line, ...] = ()) -> Iterator[str]:
    """Yield the lines of a service's profile, without the mode. Raises ValueError for what HAProxy cannot carry.

    `own` are the operator's, for services that have lines of their own: what those check is said by them alone.
    """
    own = own if service.raw else ()
    yield from raw_lines.without_said(_ours(service, caps, paths, own), own)
    yield from (quote.line(line) for line in raw_lines.with_cookie(service, (line.text for line in own), caps))


def _ours(service: Service, caps: Capabilities, paths: Paths, own: tuple[Line, ...]) -> Iterator[str]:
    yield from _balance(service)
    yield from _timeouts(service, caps)
    if service.raw is None:
        yield from _check(service, paths)
    if service.mode == "http":
        yield from _sticky(service, caps)
        yield from _access(service)
        yield from _strip(service.routes if service.policy.strip_path else ())
        yield from _repeating(service, caps, tls=bool(service.policy.server_tls) or raw_lines.speaks_tls(service, own))
    yield from _hold(service, caps)


def userlist_of(users: tuple[str, ...]) -> str:
    """Return the name of the userlist that holds these users: equal users share one."""
    return f"u-{quote.digest(*users)}"


def _balance(service: Service) -> Iterator[str]:
    algorithm = balance.parse(service.policy.balance)
    if algorithm.http and service.mode == "tcp":
        raise ValueError(f"balance {algorithm.word} reads HTTP requests, and service {service.name} is TCP")
    yield f"balance {algorithm.word}"
    if algorithm.hashed or service.raw is not None:
        yield "hash-type consistent"  # the other kind takes no servers at runtime


def _timeouts(service: Service, caps: Capabilities) -> Iterator[str]:
    policy = service.policy
    yield f"timeout connect {quote.duration(policy.connect_timeout)}"
    yield f"timeout server {quote.duration(policy.timeout)}"
    yield f"timeout queue {quote.duration(policy.queue_timeout)}"
    yield f"timeout tunnel {quote.duration(policy.tunnel_timeout)}"
    yield f"timeout check {quote.duration(policy.check.timeout)}"
    yield f"retries {hold.retries(policy) if caps.lua else policy.retries}"
    yield "option redispatch 1"
    if not policy.only:
        yield "option allbackups"  # all of them share the traffic, not the first one alone
    yield "option srvtcpka"
    if service.mode == "http":  # a machine that lost its power says nothing: it is asked, while a request is with it
        yield from ("srvtcpka-idle 5s", "srvtcpka-intvl 2s", "srvtcpka-cnt 3")


def _check(service: Service, paths: Paths) -> Iterator[str]:
    """Path and Host are data, looked up by the backend's name: one profile serves every HTTP check."""
    check = service.policy.check
    if check.kind != "http":
        return
    yield "option httpchk"
    path = f'"%[be_name,map({paths.check_path_map},/)]"'
    host = f'"%[be_name,map({paths.check_host_map},localhost)]"'
    yield f"http-check send meth {check.method} uri-lf {path} ver HTTP/1.1 hdr Host {host} hdr User-Agent longshore"
    yield f"http-check expect status {quote.quote(check.status)}"
    if check.expect:
        yield f"http-check expect string {quote.quote(check.expect)}"


def _sticky(service: Service, caps: Capabilities) -> Iterator[str]:
    policy = service.policy
    if not policy.sticky:
        return
    words = ["cookie", quote.word(policy.sticky), "insert indirect nocache httponly"]
    if policy.tls or policy.redirect_https:
        words.append("secure")
    dynamic = not caps.server_cookie or service.template is not None
    if dynamic:
        words.append("dynamic")
    yield " ".join(words)
    if dynamic:
        yield "dynamic-cookie-key longshore"  # no secret: it only hides the servers' addresses a little


def _access(service: Service) -> Iterator[str]:
    """Who may come in, and how: before anything else is done with the request."""
    policy = service.policy
    if policy.tls:
        yield f"http-request return status 404 content-type text/plain string {NOT_FOUND} unless {{ ssl_fc }}"
    if policy.redirect_https:
        target = '"https://%[var(txn.host)]%[var(txn.https_port)]%[pathq]"'
        yield f"http-request redirect code 308 location {target} unless {{ ssl_fc }}"
    if policy.hsts:
        header = f'Strict-Transport-Security "max-age={policy.hsts}"'
        yield f"http-after-response set-header {header} if {{ ssl_fc }}"
    if policy.auth:
        realm = quote.quote(service.name)
        yield f"http-request auth realm {realm} unless {{ http_auth({userlist_of(policy.auth)}) }}"


def _strip(routes: tuple[Route, ...]) -> Iterator[str]:
    """Remove the matched path: as many of its segments as the route has. Told to the service by X-Forwarded-Prefix."""
    depths = {route.path.rstrip("/"): route.path.rstrip("/").count("/") for route in routes}
    depths = {path: depth for path, depth in depths.items() if depth}
    if not depths:
        return
    several = len(set(depths.values())) > 1 or any(route.path.rstrip("/") == "" for route in routes)
    if several:
        for path in sorted(depths, key=len):  # the longest that matches is set last
            exact, below = quote.quote(path), quote.quote(path + "/")
            condition = f"{{ path -m str {exact} }} || {{ path -m beg {below} }}"
            yield f"http-request set-var(txn.depth) int({depths[path]}) if {condition}"
    for depth in sorted(set(depths.values())):
        condition = f" if {{ var(txn.depth) -m int {depth} }}" if several else ""
        yield f'http-request set-header X-Forwarded-Prefix "%[path,field(1,/,{depth + 1})]"{condition}'
        yield f'http-request set-path "/%[path,field({depth + 2},/,0)]"{condition}'


def _repeating(service: Service, caps: Capabilities, *, tls: bool) -> Iterator[str]:
    """Lose nothing, and repeat nothing that must not be.

    A kept connection may be closed by the server in the moment in which a request is sent on it. Requests that can be
    repeated are (`retry-on`); the others get a connection of their own, by a name that no other connection has.
    """
    yield "retry-on conn-failure empty-response"
    yield f"http-request disable-l7-retry unless {_REPLAYABLE}"
    if tls and not caps.pool_conn_name:
        yield "option http-server-close"  # the SNI is real here, so no connection can be told apart: keep none
        return
    if tls:
        yield "http-request set-var(txn.fresh) req.hdr(host),host_only"
    yield f"http-request set-var(txn.fresh) uuid unless {_REPEATABLE}"
    yield f"http-request set-header Connection close unless {_REPEATABLE}"


def _hold(service: Service, caps: Capabilities) -> Iterator[str]:
    policy = service.policy
    if policy.hold <= 0 or not caps.lua:
        return
    milliseconds = round(policy.hold * 1000)
    if service.mode == "http":
        yield "option abortonclose"  # ends the wait when the client leaves
        yield f"http-request {hold.ACTION} {milliseconds}"
        yield f"http-request deny deny_status 503 if {{ var({hold.ENDED}) -m found }}"
    else:
        yield f"tcp-request inspect-delay {quote.duration(policy.hold + 1)}"  # without it, rules may not wait
        yield f"tcp-request content {hold.ACTION} {milliseconds}"
        yield f"tcp-request content reject if {{ var({hold.ENDED}) -m found }}"


NOT_FOUND = '"longshore: no service here for this host and path"'
