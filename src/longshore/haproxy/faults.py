"""What can go wrong with HAProxy as a program: its binary, its configuration, its addresses, its reloads."""

from __future__ import annotations

from dataclasses import dataclass

from longshore.clients.haproxy_faults import HAProxyError


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One complaint of `haproxy -c`."""

    line: int  # in the configuration, from 1; 0 if HAProxy named none
    text: str  # HAProxy's words: "unknown keyword 'foo' in 'frontend' section"
    source: str = ""  # the text of that line
    fatal: bool = True  # False: a warning, HAProxy runs all the same

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.text}" + (f" in: {self.source.strip()}" if self.source.strip() else "")


@dataclass(frozen=True, slots=True)
class BusyAddress:
    """An address that is to be bound and that another program listens on already."""

    address: str  # as in the configuration: ":80"
    pid: int  # 0 if we may not see whose it is
    program: str  # "nginx: master process nginx"; "" if unknown

    def __str__(self) -> str:
        owner = f"{self.program or 'a program'} (pid {self.pid})" if self.pid else "another program"
        return f"{owner} listens on {self.address} already"


class BinaryError(HAProxyError):
    """HAProxy is missing, cannot be run, or is too old."""


class ConfigError(HAProxyError):
    """HAProxy does not accept the configuration; nothing was changed."""

    def __init__(self, path: str, faults: tuple[ConfigFault, ...]) -> None:
        said = "; ".join(str(f) for f in faults if f.fatal) or "it gave no reason"
        super().__init__(f"HAProxy refuses the configuration {path}: {said}", "what runs was left as it is")
        self.faults = faults


class BusyError(HAProxyError):
    """An address of a frontend cannot be bound."""

    def __init__(self, busy: tuple[BusyAddress, ...]) -> None:
        super().__init__("; ".join(str(b) for b in busy), "stop it, or choose another address for the frontend")
        self.busy = busy


class PrivilegedPortError(HAProxyError):
    """A port below the machine's limit for ordinary users, and we are one."""


class StartError(HAProxyError):
    """HAProxy was started and ended again, or does not answer."""


class ReloadError(HAProxyError):
    """HAProxy did not take the new configuration; the old worker keeps serving."""
