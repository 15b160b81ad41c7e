"""Grouping: the name of a container's service when its labels do not say one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.grouping import Group, group_of, repository, same_image, tidy, told_apart
from longshore.core.model import Route
from tests.core.made import compose, container

SWARM = {"com.docker.swarm.service.name": "stack_web"}


@pytest.mark.parametrize(
    ("fields", "group_by", "group"),
    [
        ({"raw_labels": compose("shop", "web")}, "compose", Group("shop-web")),
        ({"raw_labels": compose("shop", "web") | SWARM}, "compose", Group("shop-web")),
        ({"raw_labels": SWARM}, "compose", Group("stack_web")),
        ({"image": "docker.io/library/nginx:1.27"}, "compose", Group("nginx", True)),
        ({"raw_labels": compose("shop", "web"), "image": "reg:5000/a/nginx@sha256:00"}, "image", Group("nginx", True)),
        ({"raw_labels": {"tier": "front end"}}, "label:tier", Group("front-end")),
        ({"raw_labels": {"tier": ""}}, "label:tier", Group("app", True)),
        ({"env": {"SERVICE_NAME": "whoami"}}, "env:SERVICE_NAME", Group("whoami")),
        ({"raw_labels": compose("shop", "web")}, "env:SERVICE_NAME", Group("shop-web")),
        ({"image": "sha256:" + "0" * 64}, "compose", Group("web-1", True)),
    ],
)
def test_groups(fields: dict[str, Any], group_by: str, group: Group) -> None:
    assert group_of(container(**fields), group_by) == group


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "nginx"),
        ("docker.io/library/nginx:1", "nginx"),
        ("local/app:1.2@sha256:00", "local/app"),
        ("localhost:5000/app", "localhost:5000/app"),
        ("localhost:5000/app:2", "localhost:5000/app"),
        ("sha256:00", ""),
    ],
)
def test_repository(image: str, name: str) -> None:
    assert repository(image) == name


@pytest.mark.parametrize(
    ("image", "wanted", "same"),
    [
        ("local/nodeapp", "local/nodeapp", True),
        ("local/nodeapp:2", "local/nodeapp", True),
        ("docker.io/local/nodeapp:2", "local/nodeapp", True),
        ("local/nodeapp:2", "local/nodeapp:2", True),
        ("local/nodeapp:2", "local/nodeapp:1", False),
        ("local/nodeapp2", "local/nodeapp", False),
        ("nginx", "docker.io/library/nginx", True),
        ("localhost:5000/app:2", "localhost:5000/app", True),
        ("sha256:00", "", False),
    ],
)
def test_same_image(image: str, wanted: str, same: bool) -> None:
    assert same_image(image, wanted) is same


@pytest.mark.parametrize(
    ("routes", "name"),
    [
        ((), "nginx"),
        ((Route("a.test"),), "nginx-a.test"),
        ((Route("*.a.test"), Route("b.test")), "nginx-any.a.test"),
        ((Route(listen="[::1]:80"),), "nginx-1-80"),
        ((Route("*", "/api"),), "nginx-api"),
        ((Route("a.test", "/api"),), "nginx-a.test-api"),
        ((Route("*"),), "nginx-any"),
    ],
)
def test_services_of_one_image_are_told_apart_by_what_leads_there(routes: tuple[Route, ...], name: str) -> None:
    assert told_apart("nginx", routes) == name


@given(st.text())
def test_any_text_becomes_a_safe_name_or_none(text: str) -> None:
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,99})?", tidy(text))
