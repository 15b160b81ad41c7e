"""What can go wrong with Consul, in words for people: the one place that makes a ConsulError.

Protocol fact: an error is a status with a line of text. Most are 500, whatever happened; the text tells them apart
(agent/http.go, agent/structs/errors.go, acl/errors.go).
"""

from __future__ import annotations

import errno

from longshore.clients.faults import first_line
from longshore.clients.http_faults import explain, hung_up, system_error
from longshore.clients.registry_faults import RegistryError
from longshore.clients.tls import TlsFiles


class ConsulError(RegistryError):
    """Consul cannot be used, or refuses."""


class DeniedError(ConsulError):
    """Refused, now and later: a permission, or something that Consul does not take."""


class CheckGoneError(ConsulError):
    """The agent knows no such check: it was removed, or the agent has forgotten everything."""


READS = '`node_prefix "" { policy = "read" }` and `service_prefix "" { policy = "read" }`'
LEADER = "its servers elect a leader, or most of them are lost"

TABLE: tuple[tuple[str, type[ConsulError], str, str], ...] = (
    # in the text, kind, what it means, hint
    ("ACL not found", ConsulError, "does not know the token", "check token-file"),
    ("ACL support disabled", ConsulError, "asks for no tokens", "leave out token-file"),
    ("No cluster leader", ConsulError, "has no leader", LEADER),
    ("No known Consul servers", ConsulError, "knows no server of its cluster", "has it joined?"),
    ("No path to datacenter", ConsulError, "knows no such datacenter", "check datacenter"),
    ("failed to get conn", ConsulError, "does not reach the servers of its cluster", LEADER),
    ("making call: EOF", ConsulError, "lost the server that it asked", LEADER),
    ("rpc error getting client", ConsulError, "does not reach the servers of its cluster", LEADER),
    ("does not have associated TTL", CheckGoneError, "knows no such check (any more)", ""),
    ("Unknown check", CheckGoneError, "knows no such check (any more)", ""),
    ("Scripts are disabled", DeniedError, "runs no scripts", "set enable_local_script_checks in the agent's file"),
    ("exceeds", DeniedError, "does not take so large a value", "Consul takes 512 KB"),
    ("request body too large", DeniedError, "does not take so large a value", "Consul takes 512 KB"),
    ("HTTP request to an HTTPS server", ConsulError, "wants TLS", "write https:// and set tls ca"),
)


def unreachable(error: BaseException, address: str, tls: TlsFiles | None) -> ConsulError:
    """Translate an exception of a request."""
    what, hint = explain(error, f"Consul at {address}")
    if isinstance(error, TimeoutError):
        hint = "is it stopped or overloaded? An agent may also wait for its servers to have a leader"
    hung = hung_up(error) or system_error(error) == errno.EPIPE
    if hung and address.startswith("https:"):
        # TLS 1.3: only after the handshake the server learns that it dislikes our certificate, and it may just hang up
        wants = "check tls cert and key" if tls is not None and tls.cert else "set tls cert and key"
        hint = f"it may want a client certificate: {wants}"
    elif hung:
        hint = "is it a port with TLS, or are there too many connections (limits.http_max_conns_per_client)?"
    return ConsulError(what, hint)


def refused(status: int, body: bytes, address: str, asked: str) -> ConsulError:
    """Translate an answer that is not a success; `asked` says what for: "health/state/any"."""
    text = first_line(body)
    who = f"Consul at {address}"
    for fragment, kind, what, hint in TABLE:
        if fragment in text:
            told = f": {text}" if kind is DeniedError else ""
            return kind(f"{who} {what}{told}", hint)
    if status == 403:
        return DeniedError(
            f"{who} does not permit {asked}: {text}", f"give the token of token-file the right: {right(asked)}"
        )
    if status in (404, 405):
        hint = "check the address; longshore needs Consul 1.8 or newer"
        return ConsulError(f"what answers at {address} is not Consul: no {asked} ({status} {text})", hint)
    if status in (400, 413):
        return DeniedError(f"{who} does not take {asked}: {text}")
    return ConsulError(f"{who} answers {asked} with {status}: {text.removeprefix('rpc error making call: ')}")


def right(asked: str) -> str:
    """Name the rule of a policy that a request takes."""
    match asked.split("/")[0:2]:
        case ["kv", *_]:
            return f'`key_prefix "{asked[3:]}" {{ policy = "read" }}`'
        case ["agent", "service" | "check"]:
            return '`service_prefix "" { policy = "write" }`'
        case _:
            return READS


def no_leader(address: str) -> ConsulError:
    """Say that the servers have no leader: what they answer may be anything."""
    return ConsulError(f"Consul at {address} has no leader", LEADER)


def sees_nothing(address: str, token: bool) -> ConsulError:
    """Say that not even the cluster's own nodes are shown: to a token without rights everything looks empty."""
    wants = "the token of token-file has too few rights" if token else "it may want a token: set token-file"
    hint = f"{wants}; it takes {READS}"
    return ConsulError(f"Consul at {address} shows no nodes", hint)


def not_consul(address: str, asked: str, body: bytes | str) -> ConsulError:
    """Say that something else answers there."""
    return ConsulError(
        f"what answers at {address} is not Consul: {asked} gave {first_line(body, 60)!r}", "check the address"
    )
