"""Where HAProxy listens: frontends and their addresses."""

from __future__ import annotations

from dataclasses import dataclass

from longshore.core.model import Mode


@dataclass(frozen=True, slots=True)
class Bind:
    """One address of a frontend."""

    address: str  # ":80", "127.0.0.1:80", "[::]:80" (IPv4 as well, unless another bind has that port)
    certificates: str = ""  # absolute path of a PEM file, a folder of them, or a crt-list; "" is plain
    proxy_protocol: bool = False  # clients are proxies that speak the PROXY protocol
    strict_sni: bool = False  # refuse TLS clients that ask for a name without a certificate; else the first answers
    options: tuple[str, ...] = ()  # further words, the operator's own


@dataclass(frozen=True, slots=True)
class Frontend:
    """One frontend. Several frontends may share a map."""

    name: str  # "http", "https", "listen-8080", "tcp-5432"
    mode: Mode
    binds: tuple[Bind, ...]
    map: str  # name of its map: "routes", "listen-8080", "tcp"
