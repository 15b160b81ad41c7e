"""The section `haproxy`: which HAProxy serves the traffic, and how."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from longshore.config.fields import Duration, FilePath, OptionalBindAddress, Word
from longshore.config.raw import HaproxyRaw
from longshore.config.section import Section
from longshore.core.values import RefusedError


class HaproxyConfig(Section):
    """HAProxy itself: started and watched by longshore (`managed`), or running already (`attached`)."""

    binary: str = Field(default="haproxy", min_length=1)
    """The program: a path, or a name that is looked up in `PATH`. In attached mode it validates configurations."""
    mode: Literal["managed", "attached"] = "managed"
    """`managed`: longshore starts HAProxy, watches it and adopts it again after its own restart. `attached`: HAProxy
    was started by someone else, for example systemd; longshore drives it through its sockets."""
    stats: OptionalBindAddress = ""
    """Address of HAProxy's own statistics page (`/`) and Prometheus exporter (`/metrics`); `off` for none."""
    max_connections: Annotated[int, Field(ge=1, le=10_000_000)] = 4096
    """Concurrent client connections of the whole HAProxy (`maxconn`); more wait in the kernel's queue."""
    access_log: bool = False
    """Write a line for each request to standard output."""
    socket: FilePath | None = None
    """Attached mode: the runtime socket (`stats socket … level admin`)."""
    master_socket: FilePath | None = None
    """Attached mode: the socket of the master process (`haproxy -W -S …`), needed to reload."""
    config_file: FilePath | None = None
    """Attached mode: the file that HAProxy was started with; longshore writes it."""
    user: Word | None = None
    """Managed mode, as root: the user that HAProxy becomes after it has bound its ports."""
    group: Word | None = None
    """Managed mode, as root: the group that HAProxy becomes after it has bound its ports."""
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Number of HAProxy's threads; by default one for each processor it may use."""
    hard_stop_after: Duration = 3600.0
    """After a reload or stop, how long old connections (websockets, long downloads) may go on."""
    drain: Duration = 8.0
    """Managed mode: when longshore ends, how long running requests may go on. Whoever stops it must wait as long:
    Docker kills after 10 seconds (`stop_grace_period`, `docker stop --time`), systemd after 90 (`TimeoutStopSec`)."""
    share_ports: bool = False
    """Managed mode: listen on addresses that another HAProxy of the same user has too, instead of refusing them. They
    are joined when everything is ready, and taken over; then the other may be stopped without losing a request. Meant
    for an update of longshore, with a state directory of its own, and for a move from another HAProxy."""
    spare_slots: Annotated[int, Field(ge=0, le=10_000)] = 16
    """HAProxy older than 3.4: backends declared in advance for each kind of service, so that new services need no
    reload. When they run out, one hitless reload adds more."""
    raw: HaproxyRaw = HaproxyRaw()
    """Lines of your own for HAProxy's configuration."""

    @model_validator(mode="after")
    def fits_mode(self) -> Self:
        """Refuse settings that the mode gives no meaning to."""
        theirs = {"socket": self.socket, "master-socket": self.master_socket, "config-file": self.config_file}
        said = [key for key, value in theirs.items() if value is not None]
        missing = [key for key in theirs if key not in said]
        if self.mode == "attached" and missing:
            raise RefusedError(f"mode attached also needs {', '.join(missing)}", "they say where HAProxy is")
        if self.mode == "managed" and said:
            raise RefusedError(f"{', '.join(said)}: only for mode attached", "otherwise longshore makes its own")
        return self
