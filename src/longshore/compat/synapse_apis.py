"""Synapse's discovery methods that ask the API of somebody who runs machines or tasks: ec2tag and marathon."""

from __future__ import annotations

from typing import Any

from longshore.compat.given import At, Given
from longshore.compat.synapse_found import Asked, Found, bearable, conditions
from longshore.core.values import shown


def ec2tag(given: Given, asked: Asked) -> Found:
    """Machines of EC2 that carry a tag."""
    if asked.port is None:
        hint = "add it to the service: where does it listen on these machines?"
        given.refuse("", "by ec2tag needs backend_port_override", hint)
    if not given.needs("tag_name", "tag_value") or asked.port is None:
        return Found()
    name = given.text("tag_name")
    if "=" in name or name.endswith("!"):
        given.refuse("tag_name", f"is {shown(name)}: a tag with = or ! in its name cannot be asked for")
        return Found()
    said = {key: At(given.text(key), given.place(key)) for key in given.data if key.startswith("aws_") and key in given}
    if "aws_secret_access_key" in said:
        what = "is better kept in a file, `secret-access-key-file`, or in the environment"
        given.note("aws_secret_access_key", what)
    region = said.get("aws_region")
    settings = {
        "region": region,
        "access-key-id": said.get("aws_access_key_id"),
        "secret-access-key": said.get("aws_secret_access_key"),
        "interval": _interval(given, 15),
    }
    source = asked.sources.named("ec2", region.value if region else "", given.place("method"), settings)
    tags = [At(f"{name}={given.text('tag_value')}", given.place("tag_value")), *asked.conditions, *conditions(given)]
    label = tags[0] if len(tags) == 1 else tags
    return Found([{"source": At(source, given.place("method")), "label": label, "port": asked.port}])


def _interval(given: Given, usual: float) -> At | None:
    seconds = bearable(given, "check_interval")
    return At(f"{seconds:g}s", given.place("check_interval")) if seconds not in (None, usual) else None


def marathon(given: Given, asked: Asked) -> Found:
    """The tasks of an app."""
    if not given.needs("marathon_api_url", "application_name"):
        return Found()
    if asked.conditions or conditions(given):
        given.refuse("label_filters" if "label_filters" in given else "label_filter", "cannot be asked of Marathon")
    if asked.port is not None:
        what = "backend_port_override: is passed over: each task is reached at its own port"
        given.told.note(asked.port.place, what, "`port_index` picks one")
    path = given.text("marathon_api_path").replace("%{app}", "{app}")
    url = given.text("marathon_api_url")
    settings = {
        "url": At(url, given.place("marathon_api_url")),
        "path": At(path, given.place("marathon_api_path")) if path else None,
        "interval": _interval(given, 10),
    }
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    source = asked.sources.named("marathon", host, given.place("marathon_api_url"), settings)
    item: dict[str, Any] = {"source": At(source, given.place("marathon_api_url"))}
    item["app"] = At(given.text("application_name"), given.place("application_name"))
    if index := given.whole("port_index", 0, 1000):
        item["port-index"] = At(index, given.place("port_index"))
    return Found([item])
