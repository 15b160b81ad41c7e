"""One question to one nameserver: over UDP with room for large answers (EDNS), over TCP when one does not fit.

The one place that knows dnspython's exceptions. What comes back is a message of any result code; what does not come
back is a `Silent` with the reason in words for people.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from longshore.clients.faults import first_line

ROOM = 8192  # bytes of a UDP answer that we can take (RFC 6891): some 500 IPv4 addresses


class Silent(Exception):  # noqa: N818  a nameserver that says nothing of use; never seen outside of the client
    """No answer of use from one nameserver. The text continues "127.0.0.11:53 …"."""


@dataclass(frozen=True, slots=True)
class Nameserver:
    """Where to ask."""

    address: str  # an IP literal without brackets
    port: int = 53

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What one nameserver said. `cut`: not everything fitted, and the rest could not be had over TCP."""

    server: Nameserver
    message: dns.message.Message
    cut: str = ""  # why TCP did not help

    @property
    def missing(self) -> bool:
        """Whether the name does not exist (NXDOMAIN)."""
        return self.message.rcode() == dns.rcode.NXDOMAIN


async def exchange(
    server: Nameserver, name: dns.name.Name, kind: dns.rdatatype.RdataType, timeout: float, *, tcp: bool = False
) -> Reply:
    """Ask. Raises `Silent` unless the answer is one about the name (NOERROR or NXDOMAIN)."""
    reply = await _once(server, dns.message.make_query(name, kind, use_edns=0, payload=ROOM), timeout, tcp=tcp)
    if reply.message.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):
        reply = await _once(server, dns.message.make_query(name, kind, use_edns=False), timeout, tcp=tcp)
    code = reply.message.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise Silent(f"answers {dns.rcode.to_text(code)}")
    return reply


async def _once(server: Nameserver, query: dns.message.Message, timeout: float, *, tcp: bool) -> Reply:
    if tcp:
        return Reply(server, await _tcp(server, query, timeout))
    try:
        return Reply(server, await _udp(server, query, timeout))
    except dns.message.Truncated as truncated:
        try:
            return Reply(server, await _tcp(server, query, timeout))
        except Silent as silent:
            return Reply(server, truncated.message(), cut=str(silent))  # type: ignore[no-untyped-call]


async def _udp(server: Nameserver, query: dns.message.Message, timeout: float) -> dns.message.Message:
    """Over a connected socket, so that a port where nobody listens is known at once. Raises `dns.message.Truncated`."""
    family = dns.inet.af_for_address(server.address)
    backend = dns.asyncbackend.get_default_backend()
    try:
        where = (server.address, server.port)
        async with await backend.make_socket(family, socket.SOCK_DGRAM, 0, None, where) as opened:  # type: ignore[no-untyped-call]
            return await dns.asyncquery.udp(
                query,
                server.address,
                timeout,
                server.port,
                sock=opened,
                ignore_unexpected=True,
                ignore_errors=True,  # somebody may forge answers: wait for the true one
                raise_on_truncation=True,
            )
    except dns.message.Truncated:
        raise
    except dns.exception.Timeout:
        raise Silent(f"does not answer within {timeout:g} s") from None
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise _silent(error) from None


async def _tcp(server: Nameserver, query: dns.message.Message, timeout: float) -> dns.message.Message:
    try:
        return await dns.asyncquery.tcp(query, server.address, timeout, server.port)
    except dns.exception.Timeout:
        raise Silent(f"does not answer over TCP within {timeout:g} s") from None
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise _silent(error, " over TCP") from None


def _silent(error: Exception, way: str = "") -> Silent:
    if isinstance(error, ConnectionRefusedError):
        return Silent(f"is not there{way}: connection refused")
    if isinstance(error, OSError):
        return Silent(f"cannot be reached{way}: {error.strerror or error}")
    if isinstance(error, EOFError):
        return Silent(f"closes the connection{way}")
    return Silent(f"gives an answer that cannot be read{way}: {first_line(str(error) or type(error).__name__)}")
