"""What can go wrong when talking to HAProxy, in words for people. Foreign exceptions are mapped here and only here."""

from __future__ import annotations

import errno


class HAProxyError(Exception):
    """Something between us and HAProxy failed: `what` happened, and `hint` says what to do next ("" if nothing)."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class UnreachableError(HAProxyError):
    """Nobody answers on the socket: HAProxy is not running, is starting, or the connection broke."""


class BadCommandError(HAProxyError, ValueError):
    """A word that must never be sent: it would end the command or start another one. Nothing was sent."""


def unreachable(path: str, error: BaseException) -> UnreachableError:
    """Say why the HAProxy socket at `path` could not be used."""
    code = getattr(error, "errno", None)
    if isinstance(error, TimeoutError):
        return UnreachableError(f"HAProxy does not answer on {path} in time")
    if code == errno.ENOENT:
        return UnreachableError(f"no HAProxy socket at {path}", "is HAProxy running, and is this its socket?")
    if code == errno.ECONNREFUSED:
        return UnreachableError(f"nobody listens on the HAProxy socket {path}", "HAProxy has ended or is just starting")
    if code in (errno.EACCES, errno.EPERM):
        return UnreachableError(
            f"no permission to use the HAProxy socket {path}",
            "run as the user that owns it, or give `stats socket … mode 660 group …` a group this user is in",
        )
    if isinstance(error, EOFError | ConnectionError):
        return UnreachableError(f"HAProxy closed the connection on {path}")
    return UnreachableError(f"cannot talk to HAProxy on {path}: {error}")
