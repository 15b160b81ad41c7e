"""Where HAProxy's files are: all in one folder, `haproxy/` of the state directory."""

from __future__ import annotations

from dataclasses import dataclass

from longshore.core import quote

_LONGEST_SOCKET = 97  # HAProxy binds "<path>.<pid>.tmp" first; a unix address holds 107 characters


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of everything HAProxy reads, writes and listens on, under an absolute state directory.

    `runtime` overrides the path of the runtime socket, for an HAProxy that is not ours.
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

    def route_map(self, frontend: str) -> str:
        """Host and path to backend: of one `listen` frontend, or ("") what the configuration's frontends share."""
        return f"{self.maps}/{quote.word(frontend or 'routes')}.map"

    @property
    def tcp_map(self) -> str:
        """TCP frontend to backend."""
        return f"{self.maps}/tcp.map"

    @property
    def check_path_map(self) -> str:
        """Backend to the path of its HTTP check; "/" where it is missing."""
        return f"{self.maps}/check-path.map"

    @property
    def check_host_map(self) -> str:
        """Backend to the Host header of its HTTP check; "localhost" where it is missing."""
        return f"{self.maps}/check-host.map"

    @property
    def service_map(self) -> str:
        """Backend to the name of its service, for the access log; "-" where it is missing."""
        return f"{self.maps}/service.map"

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
