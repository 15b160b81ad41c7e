"""The section `here`: where this balancer is, for services that prefer what is near."""

from __future__ import annotations

import socket

from longshore.config.fields import Name
from longshore.config.register import RegisterConfig
from longshore.config.section import Section


class HereConfig(Section):
    """Where this balancer is, for services with `prefer` or `zone-weights`."""

    host: Name | None = None
    """The name of its host, as registrars write it; default: `register.name`, else the hostname."""
    zone: Name | None = None
    """Its zone: a data centre, a rack; default: `register.zone`, else none."""

    def host_name(self, register: RegisterConfig | None) -> str:
        """The name of this host."""
        return self.host or (register.name if register else None) or socket.gethostname()

    def zone_name(self, register: RegisterConfig | None) -> str:
        """The zone of this host, "" if nobody says it."""
        return self.zone or (register.zone if register else None) or ""
