"""A tiny authoritative nameserver in this process, for what no good nameserver does: silence, lies, cut answers.

with OddDns() as dns:
    dns.put("web.test", "A", "10.0.0.1", "10.0.0.2", ttl=5)
    dns.silent = True
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.lab import ports

Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


class OddDns:
    """Answers what `put` said, over UDP and TCP on one port of loopback. The switches below may change at any time."""

    def __init__(self, port: int = 0, address: str = "127.0.0.1") -> None:
        self.address = address
        self.port = port or ports.free()
        self.silent = False  # takes questions and never answers
        self.code: dns.rcode.Rcode | None = None  # every answer has this result instead
        self.limit = 65535  # bytes of a UDP answer, whatever the client takes
        self.tcp = True  # False: connections are closed at once
        self.plain = False  # knows no EDNS: answers FORMERR
        self.lie = ""  # the address of every name that does not exist
        self.twist: Callable[[dns.message.Message], None] | None = None  # changes an answer before it is sent
        self.asked: list[tuple[str, str]] = []  # name and type of every question, in order
        self.over_tcp = 0
        self._records: dict[Key, dns.rrset.RRset] = {}
        self._extra: dict[Key, list[dns.rrset.RRset]] = {}
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def where(self) -> str:
        """Its address with the port."""
        return f"{self.address}:{self.port}"

    def __enter__(self) -> OddDns:
        """Listen."""
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sockets = [udp, tcp]
        for each in self._sockets:
            each.bind((self.address, self.port))
        tcp.listen(20)
        self._threads = [
            threading.Thread(target=self._serve_udp, args=(udp,), daemon=True),
            threading.Thread(target=self._serve_tcp, args=(tcp,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; a question sent from now on is refused."""
        for each in self._sockets:
            with contextlib.suppress(OSError):  # UDP is not connected: it wakes all the same
                each.shutdown(socket.SHUT_RDWR)  # wakes the thread
            each.close()
        for thread in self._threads:
            thread.join()

    def put(self, name: str, kind: str, *records: str, ttl: int = 5) -> None:
        """Set the records of a name and type; none: the name exists, without records of that type."""
        key = dns.name.from_text(name), dns.rdatatype.from_text(kind)
        rrset = dns.rrset.RRset(key[0], dns.rdataclass.IN, key[1])
        if records:
            rrset = dns.rrset.from_text(key[0], ttl, "IN", kind, *records)
        self._records[key] = rrset

    def extra(self, name: str, kind: str, other: str, *addresses: str) -> None:
        """Add addresses of another name to the additional section of answers."""
        key = dns.name.from_text(name), dns.rdatatype.from_text(kind)
        host = dns.name.from_text(other)
        self._extra.setdefault(key, []).append(dns.rrset.from_text(host, 5, "IN", "A", *addresses))

    def drop(self, name: str) -> None:
        """Let a name no longer exist."""
        gone = dns.name.from_text(name)
        self._records = {key: value for key, value in self._records.items() if key[0] != gone}

    def _answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append((question.name.to_text(True), dns.rdatatype.to_text(question.rdtype)))
        self.over_tcp += tcp
        if self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.plain and query.edns >= 0:
            response.use_edns(False)
            response.set_rcode(dns.rcode.FORMERR)
            return response.to_wire()
        if self.code is not None:
            response.set_rcode(self.code)
        else:
            self._fill(response, question.name, question.rdtype)
        if self.twist:
            self.twist(response)
        room = min(query.payload if query.edns >= 0 else 512, self.limit)
        whole = response.to_wire(max_size=65535)
        if tcp or len(whole) <= room:
            return whole
        for rrset in response.answer:
            while len(rrset) and len(response.to_wire(max_size=65535)) > room:
                rrset.pop()  # type: ignore[no-untyped-call]
        response.flags |= dns.flags.TC
        return response.to_wire(max_size=65535)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        records = dict(self._records)
        while (alias := records.get((name, dns.rdatatype.CNAME))) and kind != dns.rdatatype.CNAME:
            response.answer.append(alias)
            name = alias[0].target
        found = records.get((name, kind))
        if found:
            response.answer.append(dns.rrset.from_rdata_list(found.name, found.ttl, list(found)))
            response.additional += self._extra.get((name, kind), [])
        elif not any(key[0] == name for key in records):
            if self.lie and kind == dns.rdatatype.A:
                response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", self.lie))
            else:
                response.set_rcode(dns.rcode.NXDOMAIN)

    def _serve_udp(self, opened: socket.socket) -> None:
        while True:
            try:
                wire, client = opened.recvfrom(65535)
                if not wire:
                    return
                if (answer := self._answer(wire, tcp=False)) is not None:
                    opened.sendto(answer, client)
            except OSError:
                return

    def _serve_tcp(self, opened: socket.socket) -> None:
        while True:
            try:
                connection, _ = opened.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                with contextlib.suppress(OSError):
                    self._one(connection)

    def _one(self, connection: socket.socket) -> None:
        if not self.tcp:
            return
        with connection.makefile("rb") as reader:
            (length,) = struct.unpack("!H", reader.read(2))
            answer = self._answer(reader.read(length), tcp=True)
        if answer is not None:
            connection.sendall(struct.pack("!H", len(answer)) + answer)
