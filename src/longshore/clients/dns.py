"""Names to addresses by asking nameservers directly: A, AAAA and SRV with how long the answer holds.

What the system's resolver does not tell is told apart here: the name has addresses, has none, does not exist
(NXDOMAIN), or nobody knows (`DnsError`: silence, SERVFAIL, …). Names are absolute, no search domain is added. One
nameserver is asked for as long as it answers; only "there is no such name" is asked of all of them before it counts.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import dns.exception
import dns.name
import dns.rdatatype
import dns.rrset

from longshore.clients.dns_exchange import Nameserver, Reply, Silent, exchange
from longshore.clients.faults import Fault

RESOLV_CONF = Path("/etc/resolv.conf")
Family = Literal["auto", "ipv4", "ipv6", "both"]


class DnsError(Fault):
    """Nobody could say anything about a name: unknown, which is not the same as empty."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about an answer that a person should know."""

    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One SRV record with the addresses of its host (RFC 2782)."""

    host: str  # without the dot at the end
    port: int
    priority: int  # those with the lowest number come first
    weight: int  # 0..65535, among those of the same priority
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a name now."""

    state: Literal["found", "empty", "missing"]  # empty: the name exists, but has no such record; missing: NXDOMAIN
    addresses: tuple[str, ...] = ()  # sorted, each once
    targets: tuple[Target, ...] = ()  # of SRV records
    ttl: int = 0  # seconds that it holds
    server: str = ""  # who said so: "127.0.0.11:53"
    partial: bool = False  # who is in it is there; who is not may be there too
    notes: tuple[Note, ...] = ()


def system_nameservers(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """Read the nameservers of the system (resolv.conf(5)); () if there is none. Raises OSError."""
    lines = (line.split() for line in path.read_text(errors="replace").splitlines())
    found = (words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")
    return tuple(Nameserver(address) for address in dict.fromkeys(found) if _ip(address))


@dataclass(slots=True)
class DnsClient:
    """Asks some nameservers; without any given, the system's, read again for every question."""

    nameservers: tuple[Nameserver, ...] = ()
    family: Family = "auto"  # auto: IPv6 addresses only where there is no IPv4 address
    timeout: float = 1.0  # seconds for one nameserver to answer
    resolv_conf: Path = RESOLV_CONF
    _turn: int = 0  # the nameserver that answered last
    _made_up: dict[Nameserver, frozenset[str]] = field(default_factory=dict)  # what it says of names that cannot be

    async def addresses(self, name: str) -> Answer:
        """The addresses of a host. Raises `DnsError` if nobody can say, ValueError if it cannot be a name."""
        asked = _absolute(name)
        if self.family == "both":
            return _both(await self._addresses(asked, "A"), await self._addresses(asked, "AAAA"))
        answer = await self._addresses(asked, "AAAA" if self.family == "ipv6" else "A")
        return await self._addresses(asked, "AAAA") if (answer.state, self.family) == ("empty", "auto") else answer

    async def services(self, name: str) -> Answer:
        """The SRV records of a name, with the addresses of their hosts. Raises as `addresses` does."""
        asked = _absolute(name)
        reply, notes = await self._ask(asked, "SRV")
        found, ttl = _records(reply, "SRV")
        records = sorted(found or (), key=lambda record: (record.priority, record.target, record.port))
        usable = [record for record in records if record.port and record.target != dns.name.root]
        known = await asyncio.gather(*(self._host(reply, record.target) for record in usable))
        targets = []
        for record, (addresses, why) in zip(usable, known, strict=True):
            host = record.target.to_text(omit_final_dot=True)
            targets.append(Target(host, record.port, record.priority, record.weight, addresses))
            if why:
                notes = (*notes, Note(f"{host}, of which {name} speaks, has no address: {why}", "add its A record"))
        unknown = any(not addresses for addresses, _ in known)
        return _answer(reply, (), tuple(targets), ttl, notes, partial=unknown)

    async def find_liars(self) -> tuple[Note, ...]:
        """Ask every nameserver for a name that cannot exist (RFC 6761); what it makes up is never believed."""
        asked = _absolute(f"longshore-{secrets.token_hex(6)}.invalid")
        servers = self._servers()
        answers = await asyncio.gather(*(self._lie(server, asked) for server in servers))
        self._made_up = {server: lies for server, lies in zip(servers, answers, strict=True) if lies}
        return tuple(
            Note(
                f"nameserver {server} answers names that do not exist with {', '.join(sorted(lies))}; "
                "longshore takes that for NXDOMAIN",
                "turn that off there, or name another nameserver",
            )
            for server, lies in self._made_up.items()
        )

    async def _lie(self, server: Nameserver, asked: dns.name.Name) -> frozenset[str]:
        try:
            found, _ = _records(await exchange(server, asked, dns.rdatatype.A, self.timeout), "A")
        except Silent:
            return self._made_up.get(server, frozenset())
        return frozenset(record.address for record in found or ())

    async def _addresses(self, asked: dns.name.Name, kind: str) -> Answer:
        reply, notes = await self._ask(asked, kind)
        found, ttl = _records(reply, kind)
        good, odd = _usable(record.address for record in found or ())
        if odd:
            what = f"nameserver {reply.server} says that {asked.to_text(True)} is {', '.join(odd)}: left out"
            notes = (*notes, Note(what, "nothing can listen there: correct the record, or name another nameserver"))
        made_up = self._made_up.get(reply.server, frozenset())
        answer = _answer(reply, tuple(a for a in good if a not in made_up), (), ttl, notes)
        return Answer("missing", server=answer.server, notes=notes) if good and not answer.addresses else answer

    async def _host(self, reply: Reply, host: dns.name.Name) -> tuple[tuple[str, ...], str]:
        """The addresses of a host that an SRV record names, and why there are none."""
        kinds = {"ipv4": ("A",), "ipv6": ("AAAA",)}.get(self.family, ("A", "AAAA"))
        sets = [rrset for rrset in reply.message.additional if rrset.name == host]
        given = {
            kind: [r.address for s in sets if s.rdtype == dns.rdatatype.from_text(kind) for r in s] for kind in kinds
        }
        if self.family == "auto" and given["A"]:
            del given["AAAA"]
        good, _ = _usable(address for addresses in given.values() for address in addresses)
        if good:
            return good, ""
        try:
            answer = await self.addresses(host.to_text())
        except DnsError as error:
            return (), error.what
        return answer.addresses, "" if answer.addresses else "the name does not exist"

    async def _ask(self, asked: dns.name.Name, kind: str) -> tuple[Reply, tuple[Note, ...]]:
        """Ask one after the other, first over UDP, then over TCP, until one says something."""
        servers = self._servers()
        servers = servers[self._turn % len(servers) :] + servers[: self._turn % len(servers)]
        silent: dict[str, str] = {}
        nothing: list[Reply] = []  # "no such name", "no such record"
        cut: list[Reply] = []
        for tcp in (False, True):
            for server in servers:
                try:
                    reply = await exchange(server, asked, dns.rdatatype.from_text(kind), self.timeout, tcp=tcp)
                except Silent as error:
                    silent.setdefault(str(server), str(error))
                    continue
                if reply.cut:
                    cut.append(reply)
                elif _records(reply, kind)[0] is None:
                    nothing.append(reply)
                else:
                    self._turn = self._servers().index(server) if server in self._servers() else 0
                    return reply, _disagree(asked, reply, nothing)
            if cut:
                return cut[0], (_truncates(asked, cut[0]),)
            if nothing:
                return nothing[0], ()
        raise _nobody(asked, silent)

    def _servers(self) -> tuple[Nameserver, ...]:
        hint = "name them in `nameservers`"
        try:
            servers = self.nameservers or system_nameservers(self.resolv_conf)
        except OSError as error:
            raise DnsError(f"{self.resolv_conf} cannot be read: {error.strerror or error}", hint) from None
        if not servers:
            raise DnsError(f"{self.resolv_conf} names no nameserver", hint)
        return servers


def _absolute(name: str) -> dns.name.Name:
    try:
        return dns.name.from_text(name)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(f"{name!r} cannot be a name: {error}") from None


def _records(reply: Reply, kind: str) -> tuple[dns.rrset.RRset | None, int]:
    """The records that answer, at the end of any chain of aliases, and how many seconds they hold."""
    try:
        chain = reply.message.resolve_chaining()  # type: ignore[attr-defined]  # of every answer to a query
    except dns.exception.DNSException:
        return None, 0
    found = chain.answer if chain.answer is not None and chain.answer.rdtype == dns.rdatatype.from_text(kind) else None
    return found, int(chain.minimum_ttl) if found else 0


def _usable(addresses: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
    """Those where somebody may listen, in order, and the others."""
    good: list[tuple[int, bytes, str]] = []
    odd: list[str] = []
    for address in dict.fromkeys(addresses):
        ip = ipaddress.ip_address(address)
        strange = ip.is_unspecified or ip.is_multicast or address == "255.255.255.255"
        if strange or (ip.version == 6 and ip.is_link_local):
            odd.append(address)
        else:
            good.append((ip.version, ip.packed, str(ip)))
    return tuple(address for _, _, address in sorted(good)), sorted(odd)


def _ip(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text)) and "%" not in text
    except ValueError:
        return False


def _answer(
    reply: Reply,
    addresses: tuple[str, ...],
    targets: tuple[Target, ...],
    ttl: int,
    notes: tuple[Note, ...],
    *,
    partial: bool = False,
) -> Answer:
    state: Literal["found", "empty", "missing"] = "missing" if reply.missing else "empty"
    if addresses or targets:
        state = "found"
    return Answer(state, addresses, targets, ttl, str(reply.server), partial or bool(reply.cut), notes)


def _both(four: Answer, six: Answer) -> Answer:
    if four.state != "found" or six.state != "found":
        return four if four.state == "found" or six.state != "found" else six
    notes = tuple(dict.fromkeys((*four.notes, *six.notes)))
    partial = four.partial or six.partial
    ttl = min(four.ttl, six.ttl)
    return Answer("found", four.addresses + six.addresses, (), ttl, four.server, partial, notes)


def _disagree(asked: dns.name.Name, reply: Reply, nothing: Sequence[Reply]) -> tuple[Note, ...]:
    if not nothing:
        return ()
    others = ", ".join(str(other.server) for other in nothing)
    what = f"nameserver {others} does not know {asked.to_text(True)}, and {reply.server} does: the latter is believed"
    return (Note(what, "name only nameservers that know the same"),)


def _truncates(asked: dns.name.Name, reply: Reply) -> Note:
    what = f"nameserver {reply.server} cuts its answer for {asked.to_text(True)} short and {reply.cut}"
    return Note(f"{what}: who is missing stays in use", "let DNS over TCP through, or allow UDP answers of 8192 bytes")


def _nobody(asked: dns.name.Name, silent: dict[str, str]) -> DnsError:
    said = "; ".join(f"nameserver {server} {why}" for server, why in silent.items())
    refused = any("REFUSED" in why or "SERVFAIL" in why for why in silent.values())
    hint = "ask it yourself: dig @NAMESERVER NAME" if refused else "check `nameservers`, and that DNS gets through"
    return DnsError(f"{asked.to_text(True)} cannot be looked up: {said}", hint)
