"""The source `marathon`: the tasks of apps, as Marathon's API tells. `services:` says which apps."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from longshore.config.dns import bearable
from longshore.config.fields import Duration, FilePath, http_url
from longshore.config.registries import RegistryTls
from longshore.config.section import Section
from longshore.core.values import RefusedError, shown

TASKS = "/v2/apps/{app}/tasks"


def api_path(value: str) -> str:
    """Check the path of an app's tasks."""
    if not re.fullmatch(r"/[!-~]{1,400}", value, re.ASCII) or value.count("{app}") != 1:
        raise RefusedError(f"{shown(value)} is not a path with {{app}} in it", f"write {shown(TASKS)}")
    return value


class MarathonSource(Section):
    """The tasks of apps that Marathon runs."""

    type: Literal["marathon"] = "marathon"
    """What kind of source it is; may be left out when the source is named `marathon`."""
    url: Annotated[str, http_url("http://marathon:8080")]
    """Its API: `http://` or `https://`, without the path of an app."""
    path: Annotated[str, AfterValidator(api_path)] = TASKS
    """Where the tasks of an app are told; `{app}` stands for its id."""
    interval: Annotated[Duration, AfterValidator(bearable)] = 10.0
    """Time between two questions, at least 1s. Where Marathon streams its events, a change is asked for at once."""
    username: str | None = Field(default=None, min_length=1, max_length=200)
    """User, when Marathon asks for one."""
    password_file: FilePath | None = None
    """A file with the user's password."""
    tls: RegistryTls | None = None
    """Certificates for `https://`."""
