"""Overrides: what is said of an endpoint beats what is said of its service; `ready` takes back."""

from longshore.core.overrides import Overrides


def test_nothing_said_is_ready_with_its_own_weight() -> None:
    assert Overrides().admin("web", "a:80") == "ready"
    assert Overrides().weight("web", "a:80") is None


def test_an_endpoint_beats_its_service() -> None:
    said = Overrides().with_admin("web", "", "drain", 1.0).with_admin("web", "a:80", "ready", 2.0)
    assert said.admin("web", "a:80") == "ready"
    assert said.admin("web", "b:80") == "drain"


def test_ready_for_the_service_takes_everything_back() -> None:
    said = Overrides().with_admin("web", "a:80", "maint", 1.0).with_admin("web", "", "ready", 2.0)
    assert said.said == {}


def test_ready_for_an_endpoint_leaves_nothing_behind() -> None:
    assert Overrides().with_admin("web", "a:80", "drain", 1.0).with_admin("web", "a:80", "ready", 2.0).said == {}


def test_a_weight_can_be_taken_back() -> None:
    said = Overrides().with_weight("web", "a:80", 5, 1.0)
    assert said.weight("web", "a:80") == 5
    assert said.with_weight("web", "a:80", None, 2.0).said == {}
    assert said.with_weight("web", "", 9, 2.0).weight("web", "a:80") == 9


def test_what_was_said_of_a_service_is_comparable() -> None:
    one = Overrides().with_weight("web", "a:80", 5, 1.0)
    assert one.of("web") == one.of("web")
    assert one.of("other") == ()


def test_a_gone_endpoint_is_forgotten() -> None:
    said = Overrides().with_weight("web", "a:80", 5, 1.0)
    assert said.without_endpoints({("web", "a:80")}).said == {}
