"""An endpoint as HAProxy's server: a name that carries its identity, and the words that define it.

The same words go into the configuration and into `add server`, which takes nothing from `default-server`. A server is
never changed but for its weight and its administrative state: a different definition is a different server, because
the name ends in a hash of the endpoint's id and of its definition. So a re-used address never takes over a place. As a
backup the same endpoint is another server too, but its name tells what it is otherwise: it need not prove itself again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from longshore.core import quote, raw_lines
from longshore.core.capabilities import Capabilities
from longshore.core.model import Endpoint, Service
from longshore.core.raw import Line

BACKUP = "-b"  # at the end of the name of a backup: the hash before it is that of the same server without `backup`


@dataclass(frozen=True, slots=True)
class Server:
    """One `server` line."""

    name: str  # "shop-web-1.1f0c9ab2", unique within its backend
    address: str  # an IP literal without brackets
    port: int
    options: str  # "check inter 10s …", without the weight
    weight: int  # 0..256

    @property
    def key(self) -> str:
        """What a server and its twin have in common."""
        return self.name.removesuffix(BACKUP)

    @property
    def twin(self) -> str:
        """The name that the same endpoint has as a backup, or as none."""
        return self.key if self.name.endswith(BACKUP) else self.name + BACKUP

    @property
    def definition(self) -> str:
        """What follows the name: "10.0.0.5:80 check inter 10s … weight 100"."""
        return " ".join(word for word in (self.endpoint, self.options, f"weight {self.weight}") if word)

    @property
    def endpoint(self) -> str:
        """Address and port in HAProxy's spelling: "10.0.0.5:80", "[fd00::5]:80"."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def server_of(service: Service, endpoint: Endpoint, caps: Capabilities, own: tuple[Line, ...] = ()) -> Server:
    """Return the server for one endpoint of a service. `own` as in `profile_of`."""
    address = quote.word(endpoint.address)
    options, weight = options_of(service, caps, own), None
    if service.raw is not None:
        words, weight = raw_lines.server_words(service, endpoint, own)
        options += words
    watch = _watch(service)
    digest = quote.digest(endpoint.id, address, str(endpoint.port), *options, *watch)
    options += watch if service.policy.only or not endpoint.backup else ()
    if service.mode == "http" and caps.server_cookie:
        if service.raw is not None and service.raw.cookie and raw_lines.has_cookie(service, own):
            options.append(f"cookie {raw_lines.cookie_value(service, endpoint)}")
        elif service.policy.sticky:
            options.append(f"cookie {digest}")
    shown = re.sub(r"[^A-Za-z0-9_.-]+", "-", endpoint.name).strip("-.")[:60] or "endpoint"
    if endpoint.backup:
        options.append("backup")
        digest += BACKUP
    weight = endpoint.weight if weight is None else weight
    return Server(f"{shown}.{digest}", address, endpoint.port, " ".join(options), weight)


def options_of(service: Service, caps: Capabilities, own: tuple[Line, ...] = ()) -> list[str]:
    """The words that all servers of a service have in common, without the operator's own."""
    policy = service.policy
    options: list[str] = []
    checked = policy.check.kind != "none" and service.raw is None  # lines of its own say how it is checked
    if checked:
        fast = quote.duration(min(1.0, policy.check.interval))
        options.append(
            f"check inter {quote.duration(policy.check.interval)} fastinter {fast} downinter {fast} "
            f"rise {policy.check.rise} fall {policy.check.fall}"
        )
    if policy.max_connections:
        options.append(f"maxconn {policy.max_connections}")
    if policy.slow_start:
        options.append(f"slowstart {quote.duration(policy.slow_start)}")
    if policy.server_tls:
        options.append(
            "ssl verify none" if policy.server_tls == "insecure" else "ssl verify required ca-file @system-ca"
        )
        if checked:
            options.append("check-ssl")
    options += _connections(service, caps, tls=bool(policy.server_tls) or raw_lines.speaks_tls(service, own))
    return options


def _watch(service: Service) -> tuple[str, ...]:
    """Where backups wait, one refused connection is enough: HAProxy gives up its attempts before its checks are due.

    The server is up again with its next check that succeeds, a second later. Backups keep all their attempts, so that
    a moment in which nobody answers is no end; of a leader's backups each is the next one's leader.
    """
    policy = service.policy
    levels = policy.prefer or policy.only or any(each.percent == 0 for each in policy.zone_weights)
    checked = policy.check.kind != "none" and service.raw is None
    return ("observe layer4 error-limit 1 on-error mark-down",) if levels and checked else ()


def _connections(service: Service, caps: Capabilities, *, tls: bool) -> list[str]:
    """How connections to this server are kept and re-used; see `profile_lines.repeating` for the other half."""
    if service.mode != "http":
        return []
    options = ["sni req.hdr(host),host_only"] if service.policy.server_tls else []
    if caps.pool_conn_name:
        options.append("pool-conn-name var(txn.fresh)")
    else:
        if not tls:
            options.append("sni var(txn.fresh)")
        options.append(
            "pool-max-conn -1 pool-purge-delay 5s"
        )  # 2.6 keeps no idle connection of an added server without
    return options
