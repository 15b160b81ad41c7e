"""The source `ec2`: machines that run, by their tags, as entries (`sources.registered` makes services of them).

EC2 tells no changes: it is asked again and again, once for each set of tags. What a filter of EC2's cannot say (`!=`)
is sorted out behind it, where the tags count as labels.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NoReturn, Protocol

from pydantic import SecretStr

from longshore.clients.aws import Aws, Patience
from longshore.clients.aws_faults import AwsError
from longshore.clients.aws_signature import Credentials
from longshore.clients.ec2 import Filters, Instance, literal, running
from longshore.core.conditions import Condition
from longshore.core.entries import Broken, Entry
from longshore.core.places import ip
from longshore.sources.registered import Sink, Value

NOBODY = "add one: `services: {web: {from: {source: …, label: Name=web, port: 80}}}`"
SERVICE = "machines"
PATIENCE = Patience()


class AccessSettings(Protocol):
    """What is read of a section that says how AWS is reached."""

    @property
    def region(self) -> str | None: ...  # noqa: D102  the names say it
    @property
    def endpoint(self) -> str | None: ...  # noqa: D102
    @property
    def access_key_id(self) -> str | None: ...  # noqa: D102
    @property
    def secret_access_key_file(self) -> Path | None: ...  # noqa: D102
    @property
    def secret_access_key(self) -> SecretStr | None: ...  # noqa: D102


class SourceSettings(AccessSettings, Protocol):
    """What is read of a source `ec2` in the configuration."""

    @property
    def interval(self) -> float: ...  # noqa: D102


class Ec2Adapter:
    """One region, to read from; only machines that meet all of any of these `conditions`."""

    def __init__(
        self,
        settings: SourceSettings,
        conditions: Collection[tuple[Condition, ...]],
        environ: Mapping[str, str],
        patience: Patience = PATIENCE,
    ) -> None:
        self._settings, self._environ, self._patience = settings, environ, patience
        self._filters = list({tuple(sorted(found.items())): found for found in map(filters_of, conditions)}.values())

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """Tell `sink` which machines run, again and again. Raises AwsError."""
        async with client_of(self._settings, self._environ, self._patience) as aws:
            while True:
                found: dict[str, Value] = {}
                if not self._filters:
                    found["services"] = Broken("services", "none of them asks for machines", NOBODY)
                for filters in self._filters:  # one after the other: EC2 counts how much it is asked
                    found |= {each.id: entry_of(each) for each in await running(aws, filters)}
                sink.replace(found)
                sink.published()
                await asyncio.sleep(self._settings.interval * random.uniform(0.9, 1.0))  # noqa: S311  not in step


def filters_of(conditions: Iterable[Condition]) -> Filters:
    """What of conditions EC2 can see to itself."""
    filters: dict[str, tuple[str, ...]] = {}
    for condition in conditions:
        if condition.value is None:
            filters.setdefault("tag-key", (literal(condition.key),))
        elif not condition.unlike:
            filters[f"tag:{condition.key}"] = (literal(condition.value),)
    return filters


def entry_of(instance: Instance) -> Value:
    """A machine as an entry. The port is said by who picks it."""
    address = ip(instance.address)
    if address is None:
        return Broken(instance.id, "has no private address", "it is passed over")
    return Entry(
        SERVICE,
        instance.id,
        address,
        0,
        instance.name or instance.id,
        labels=instance.tags,
        zone=instance.zone,
        since=_moment(instance.launched),
        machine=instance.name or instance.id,
    )


def client_of(settings: AccessSettings, environ: Mapping[str, str], patience: Patience = PATIENCE) -> Aws:
    """Make a client, to be used as `async with`. The secret's file is read for each request: it may change."""
    given: Callable[[], Credentials] | None = None
    if (key_id := settings.access_key_id) is not None:

        def given() -> Credentials:
            return Credentials(key_id, _secret(settings))

    return Aws(settings.region or "", settings.endpoint or "", environ=environ, given=given, patience=patience)


def _secret(settings: AccessSettings) -> str:
    if settings.secret_access_key is not None:
        return settings.secret_access_key.get_secret_value()
    path = settings.secret_access_key_file
    assert path is not None, "the configuration sees to it"
    try:
        secret = path.read_text().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        hint = "check the path and who may read the file"
        raise AwsError(f"secret-access-key-file {path}: {reason}", hint) from error
    if not secret:
        raise AwsError(f"secret-access-key-file {path} is empty", "write the secret into it, in one line")
    return secret


def _moment(written: str) -> float:
    try:
        return datetime.fromisoformat(written).timestamp()
    except ValueError:
        return 0.0
