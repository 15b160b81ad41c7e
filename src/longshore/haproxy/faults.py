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
    section: str = ""  # the first line of the section it is in
    fatal: bool = True  # False: a warning, HAProxy runs all the same

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.text}" + (f" in: {self.source.strip()}" if self.source.strip() else "")


@dataclass(frozen=True, slots=True)
class BusyAddress:
    """An address that HAProxy cannot listen on: another program does, or it may not, or it is not this machine's."""

    address: str  # as in the configuration: ":80"
    why: str  # "nginx (pid 7) listens there already"
    hint: str = ""
    pid: int = 0  # of the program in the way; 0 if that is not the matter, or not ours to see
    program: str = ""
    taken: bool = False  # somebody listens there
    shared: bool = False  # and would let us listen beside it

    @property
    def owner(self) -> str:
        """Who listens there."""
        return f"{self.program} (pid {self.pid})" if self.pid else "another program"

    def __str__(self) -> str:
        return self.why + (f" ({self.hint})" if self.hint else "")


class BinaryError(HAProxyError):
    """HAProxy is missing, cannot be run, or is too old."""


class ConfigError(HAProxyError):
    """HAProxy does not accept the configuration; nothing was changed."""

    def __init__(self, path: str, faults: tuple[ConfigFault, ...]) -> None:
        self.faults = faults
        self.why = "; ".join(str(f) for f in faults if f.fatal) or "it gave no reason"
        super().__init__(f"HAProxy refuses the configuration {path}: {self.why}", "what runs was left as it is")


class AddressError(HAProxyError):
    """Addresses of frontends cannot be listened on; nothing was changed."""

    def __init__(self, busy: tuple[BusyAddress, ...]) -> None:
        super().__init__("; ".join(f"cannot listen on {each.address}: {each}" for each in busy))
        self.busy = busy


class StartError(HAProxyError):
    """HAProxy was started and ended again, or does not answer."""


class ReloadError(HAProxyError):
    """HAProxy did not take the new configuration; the old worker keeps serving."""
