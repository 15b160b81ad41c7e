"""What can go wrong with ZooKeeper, in words for people."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from longshore.clients.faults import first_line
from longshore.clients.registry_faults import RegistryError

CERTIFICATE = "has a certificate that is not accepted"
TLS = "does not speak TLS with us"
NOT_SERVING = "accepts the connection but does not serve"


class ZooKeeperError(RegistryError):
    """ZooKeeper cannot be used. The connection is broken, or the session has ended."""


class ZooKeeperRefusedError(ZooKeeperError):
    """ZooKeeper will not do this, now or later: not allowed, not a path, too big. The session goes on."""


class NoNodeError(ZooKeeperRefusedError):
    """A node that is to be changed is not there, or the parent of one that is to be made."""


class NodeExistsError(ZooKeeperRefusedError):
    """A node that was to be made is there already."""


def missing() -> ZooKeeperError:
    """Say that the optional part is not installed."""
    return ZooKeeperError(
        "ZooKeeper needs the Python package kazoo, which is not installed", "pip install longshore[zookeeper]"
    )


def address(host: str, port: int) -> str:
    """Write a server's address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: OSError) -> str:
    """Say why a server cannot be connected to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{CERTIFICATE}: {first_line(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"{TLS}: {first_line(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError):
        return "does not answer"
    return first_line(error.strerror or str(error)).lower()


def unreachable(reasons: Mapping[str, str]) -> ZooKeeperError:
    """Say why no server took us: `reasons` by host, as far as they are known."""
    said = "; ".join(f"{host} {reason}" for host, reason in sorted(reasons.items()))
    hint = "is it running? check hosts"
    if CERTIFICATE in said:
        hint = "it must be valid for this very name or address, and signed by tls.ca"
    elif TLS in said:
        hint = "is it their TLS port? they may want a client certificate: set tls cert and key"
    elif any(reason == NOT_SERVING for reason in reasons.values()):
        hint = "has the ensemble lost its quorum? is it a TLS port, or does it want another client certificate?"
    return ZooKeeperError(f"cannot reach ZooKeeper: {said}", hint)


def suspended(hosts: str) -> ZooKeeperError:
    """Say that the connection broke; the session may live on."""
    return ZooKeeperError(f"lost the connection to ZooKeeper at {hosts}", "is a server down, or the quorum lost?")


def ended(hosts: str, why: str) -> ZooKeeperError:
    """Say that the session is over."""
    return ZooKeeperError(f"the session with ZooKeeper at {hosts} ended: {why}")


def not_allowed(path: str, what: str, known: bool) -> ZooKeeperRefusedError:
    """Say that the node's access list forbids it. `known`: we gave a user and a password."""
    hint = "its access list knows another user or password" if known else "set auth-file, with user:password in it"
    return ZooKeeperRefusedError(f"ZooKeeper does not allow to {what} {path}", hint)


def refused(path: str, what: str, why: str) -> ZooKeeperRefusedError:
    """Say that ZooKeeper finds something wrong with what it was asked."""
    return ZooKeeperRefusedError(f"ZooKeeper refuses to {what} {path}: {why}")
