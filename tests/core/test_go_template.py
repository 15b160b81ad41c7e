"""Go templates for tags: each function of registrator's documentation, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core.containers import Container
from longshore.core.go_template import template
from longshore.core.values import RefusedError

TASK = "com.amazonaws.ecs.task-arn"
ONE = Container(
    "e20f9c1a7656" + "0" * 52,
    "web.1",
    image="local/app:1",
    labels={TASK: "arn:aws:ecs:region:x:task/368f4403", "tier": "web"},
    env={"ENVIRONMENT": "test", "SERVICE_8105_NAME": "foo", "HOME": "/home", "SERVICE_9404_NAME": "bar"},
    hostname="h",
)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        pytest.param("a,b", "a,b", id="A5 -tags template: plain text"),
        pytest.param("{{strSlice .ID 0 12}}", "e20f9c1a7656", id="A5 -tags template: strSlice"),
        pytest.param("{{sIndex 0 .Config.Env}}", "ENVIRONMENT=test", id="A5 -tags template: sIndex"),
        pytest.param("{{sIndex -1 .Config.Env}}", "SERVICE_9404_NAME=bar", id="A5 -tags template: sIndex from the end"),
        pytest.param(
            f'{{{{mIndex "{TASK}" .Config.Labels}}}}',
            "arn:aws:ecs:region:x:task/368f4403",
            id="A5 -tags template: mIndex",
        ),
        pytest.param('{{toUpper "foo"}}', "FOO", id="A5 -tags template: toUpper"),
        pytest.param('{{toLower "FoO"}}', "foo", id="A5 -tags template: toLower"),
        pytest.param('{{replace -1 "=" "" "=foo="}}', "foo", id="A5 -tags template: replace"),
        pytest.param('{{join "," (split "/" "a/b")}}', "a,b", id="A5 -tags template: join, split"),
        pytest.param('{{split "," "/a,/b"}}', "[/a /b]", id="A5 -tags template: a list as Go prints it"),
        pytest.param(
            f'{{{{splitIndex -1 "/" (mIndex "{TASK}" .Config.Labels)}}}}',
            "368f4403",
            id="A5 -tags template: splitIndex",
        ),
        pytest.param(
            '{{matchFirstElement "^SERVICE_" .Config.Env}}',
            "SERVICE_8105_NAME=foo",
            id="A5 -tags template: matchFirstElement",
        ),
        pytest.param(
            '{{matchAllElements "^SERVICE_" .Config.Env | join ","}}',
            "SERVICE_8105_NAME=foo,SERVICE_9404_NAME=bar",
            id="A5 -tags template: matchAllElements, pipes",
        ),
        pytest.param('{{index .Config.Labels "tier"}}', "web", id="A5 -tags template: index"),
        pytest.param("{{.Config.Labels.tier}}", "web", id="A5 -tags template: a label as a field"),
        pytest.param("{{.Config.Labels.none}}", "", id="A5 -tags template: a label that is not there"),
        pytest.param("a {{- .Config.Hostname -}} b", "ahb", id="A5 -tags template: blanks are trimmed"),
        pytest.param("{{/* none */}}a", "a", id="A5 -tags template: comments"),
        pytest.param("{{.Name}} {{.Config.Image}}", "/web.1 local/app:1", id="A5 -tags template: fields"),
    ],
)
def test_what_is_filled_in(text: str, made: str) -> None:
    assert template(text).of(ONE) == made


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{if .ID}}x{{end}}", "{{if}} is not supported in templates for tags"),
        ('{{httpGet "http://x"}}', "the function httpGet is not supported: a tag that asks the network"),
        ('{{toUper "x"}}', 'there is no function "toUper"'),
        ("{{.State.Pid}}", ".State.Pid is nothing that longshore knows of a container"),
        ("{{toUpper}}", "toUpper takes 1 arguments, not 0"),
        ("x {{", '"{{" is not closed'),
        ("{{toUpper (}}", "cannot read"),
        ('{{"a" | "b"}}', "cannot read"),
        ("{{$x := 1}}", "cannot read"),
        ("{{}}", "cannot read"),
        ("a" * 5000, "a template of 5,000 characters is too long"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(RefusedError) as refused:
        template(text)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "text", ["{{toUpper 1}}", "{{sIndex 0 .Name}}{{join .ID .ID}}", '{{matchFirstElement "(" .Config.Env}}']
)
def test_what_does_not_fit_is_refused_when_it_is_filled_in(text: str) -> None:
    with pytest.raises(RefusedError):
        template(text).of(ONE)


@given(st.text('{}()|"`.-$ ab0/*\n') | st.text())
def test_any_text_is_filled_in_or_refused(text: str) -> None:
    with suppress(RefusedError):
        assert isinstance(template(f"{{{{{text}}}}}").of(ONE), str)
