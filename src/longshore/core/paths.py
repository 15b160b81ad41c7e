"""Where HAProxy's files are: all in one folder, `haproxy/` of the state directory."""

from __future__ import annotations

from dataclasses import dataclass

from longshore.core import quote

_LONGEST_SOCKET = 97  # HAProxy binds "<path>.<pid>.tmp" first; a unix address holds 107 characters


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of everything HAProxy reads, writes and listens on, under an absolute state directory.

    `socket` overrides the runtime socket, for an HAProxy that is not ours.
    """

    state: str
    runtime: str = ""

    def __post_init__(self) -> None:
        quote.path(self.state)
        if self.runtime:
            quote.path(self.runtime)
        for socket in (self.socket, self.master):
            if len(socket) > _LONGEST_SOCKET:
                raise ValueError(
                    f"{socket} is too long for a unix socket ({len(socket)} characters, at most {_LONGEST_SOCKET}); "
                    "choose a shorter state-dir"
                )

    @property
    def folder(self) -> str:
        """The folder that holds all of the files below."""
        return self.state.rstrip("/") + "/haproxy"

    @property
    def config(self) -> str:
        """The configuration file."""
        return f"{self.folder}/haproxy.cfg"

    @property
    def maps(self) -> str:
        """The folder of the maps."""
        return f"{self.folder}/maps"

    def map(self, name: str) -> str:
        """The file of one map: "routes", "tcp", "check-path", "check-host", "service-name", "listen-8080"."""
        return f"{self.maps}/{quote.word(name)}.map"

    @property
    def socket(self) -> str:
        """The runtime socket, level admin."""
        return self.runtime or f"{self.folder}/haproxy.sock"

    @property
    def master(self) -> str:
        """The master socket, given to HAProxy by -S."""
        return f"{self.folder}/master.sock"

    @property
    def pid(self) -> str:
        """The pid file of the master process."""
        return f"{self.folder}/haproxy.pid"

    @property
    def lua(self) -> str:
        """The script of `hold`; its text is `hold.SCRIPT`."""
        return f"{self.folder}/hold.lua"

    @property
    def server_state(self) -> str:
        """What `show servers state` said before the last reload; may be missing."""
        return f"{self.folder}/server-state"

    @property
    def stats(self) -> str:
        """What `dump stats-file` said before the last reload; may be missing."""
        return f"{self.folder}/stats"
