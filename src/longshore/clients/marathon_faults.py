"""What can go wrong with Marathon, in words for people: the one place that makes a MarathonError."""

from __future__ import annotations

from longshore.clients.faults import first_line
from longshore.clients.http_faults import explain, hung_up
from longshore.clients.registry_faults import RegistryError
from longshore.clients.tls import TlsFiles


class MarathonError(RegistryError):
    """Marathon cannot be used, or refuses."""


def unreachable(error: BaseException, url: str, tls: TlsFiles | None) -> MarathonError:
    """Translate an exception of a request."""
    what, hint = explain(error, f"Marathon at {url}")
    if hung_up(error) and url.startswith("https:"):
        wants = "check tls cert and key" if tls is not None and tls.cert else "set tls cert and key"
        hint = f"it may want a client certificate: {wants}"
    return MarathonError(what, hint)


def refused(status: int, said: bytes | str, url: str, path: str, *, user: str) -> MarathonError:
    """Translate an answer that is not a success."""
    text = first_line(said)
    who = f"Marathon at {url}"
    if status == 401:
        if user:
            return MarathonError(f"{who} refuses user {user}: wrong name or password", "check username, password-file")
        return MarathonError(f"{who} asks for a user", "set username and password-file")
    if status == 403:
        whom = f"user {user}" if user else "anybody without a user"
        hint = "give it the right to view the app" if user else "set username and password-file"
        return MarathonError(f"{who} does not permit {whom} to see {path}", hint)
    if 300 <= status < 400:
        return MarathonError(f"{who} sends us elsewhere ({status})", "set url to where Marathon itself is")
    if status in (404, 405):
        return MarathonError(f"what answers at {url} has no {path} ({status})", "check url and path")
    return MarathonError(f"{who} answers {path} with {status}: {text}".rstrip(": "), "Marathon's log tells more")


def not_marathon(url: str, path: str, body: bytes) -> MarathonError:
    """Say that something else answers there."""
    what = f"what answers at {url} is not Marathon: {path} gave {first_line(body, 60)!r}"
    return MarathonError(what, "check url and path")
