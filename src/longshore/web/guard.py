"""Who may call the API.

The unix socket is guarded by its file mode. The admin address is open to every program on this machine by default, and
that includes web pages in a browser: so a page of another site must not be able to change anything (cross-site request)
nor to read anything (DNS rebinding). With a token, and always when the address can be reached from other machines, only
callers that send it are served.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from longshore.web.answers import Fault, Handler

OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # for probes: they tell nothing but yes or no


def host_of(authority: str) -> str:
    """Take the port and the brackets off: "[::1]:8404" is "::1"."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cannot_be_rebound(host: str) -> bool:
    """Whether no one else's DNS could have led a browser here under this name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return True


def tokens_equal(given: str, token: str) -> bool:
    """Compare without telling by the time it takes how much was right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def check(request: web.Request, token: str) -> None:
    """Refuse a request over TCP that must not be served."""
    if request.path not in OPEN_PATHS:
        if token:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not tokens_equal(given.strip(), token):
                raise Fault(401, "the token is missing or wrong", "send it as: Authorization: Bearer TOKEN")
        elif not cannot_be_rebound(host_of(request.host)):
            raise Fault(
                403,
                f"this address is not served under the name {request.host}",
                "use its IP address or localhost, or set admin.token-file",
            )
    if request.method not in ("GET", "HEAD"):
        check_origin(request)


def check_origin(request: web.Request) -> None:
    """Refuse to change anything for a page of another site. Browsers cannot send JSON elsewhere without asking."""
    origin = request.headers.get("Origin")
    fetched_from = request.headers.get("Sec-Fetch-Site", "none")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
    if foreign or fetched_from not in ("none", "same-origin"):
        raise Fault(403, "requests from other sites are refused")
    if request.content_type != "application/json":
        raise Fault(415, "expected a JSON body", "send the header Content-Type: application/json")


def guard(token: str, *, unix: bool) -> Middleware:
    """Make the middleware for one way in."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not unix:
            check(request, token)
        return await handler(request)

    return guarded
