"""The sources `marathon` and `ec2` in the configuration: what they and the services that use them may say."""

from __future__ import annotations

import pytest

from longshore.agent.connect_apis import adapter_of, picks_of
from longshore.config.ec2 import Ec2Source
from longshore.config.marathon import MarathonSource
from tests.config.written import Written

SOURCES = """
sources:
  apps: {type: marathon, url: "http://marathon:8080/"}
  aws: {type: ec2, region: eu-west-1}
  docker: {}
"""


def test_defaults(written: Written) -> None:
    config = written.load(SOURCES).config
    marathon, ec2 = config.sources["apps"], config.sources["aws"]
    assert isinstance(marathon, MarathonSource)
    assert (marathon.url, marathon.path, marathon.interval) == ("http://marathon:8080", "/v2/apps/{app}/tasks", 10.0)
    assert isinstance(ec2, Ec2Source)
    assert (ec2.region, ec2.endpoint, ec2.interval) == ("eu-west-1", None, 15.0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("apps: {type: marathon}", "sources.apps.url: is missing"),
        (
            'apps: {type: marathon, url: "marathon:8080"}',
            '"marathon:8080" is not an address like "http://marathon:8080"; did you mean "http://marathon:8080"?',
        ),
        ('apps: {type: marathon, url: "http://u:p@m:1"}', "is not an address like"),
        ('apps: {type: marathon, url: "http://m:1/?x"}', "is not an address like"),
        ('apps: {type: marathon, url: "http://m:99999"}', "is not an address like"),
        ('apps: {type: marathon, url: "http://m", path: /v2/apps}', '"/v2/apps" is not a path with {app} in it'),
        ('apps: {type: marathon, url: "http://m", interval: 0.1}', "too short; the least is 1s"),
        ('apps: {type: marathon, url: "http://m", username: a}', "username: needs password-file beside it"),
        ("aws: {type: ec2, region: EU West}", '"EU West" is not the name of a region; write "eu-west-1"'),
        ("aws: {type: ec2, access-key-id: AKIA}", "has half of the credentials: add secret-access-key-file"),
        ("aws: {type: ec2, secret-access-key: x}", "has half of the credentials: add access-key-id"),
        (
            "aws: {type: ec2, access-key-id: A, secret-access-key: x, secret-access-key-file: y}",
            "has both secret-access-key-file and secret-access-key",
        ),
        ("aws: {type: ec2, access-key-id: 'A B'}", '"A B" is not the id of an access key'),
        ("aws: {type: ec2, interval: 0s}", "too short"),
    ],
)
def test_mistakes_of_sources(written: Written, line: str, problem: str) -> None:
    problems = written.problems(f"sources:\n  {line}\n")
    assert len(problems) == 1, problems
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("picked", "problem"),
    [
        ("{source: apps}", "expected at least one of image, label, service, path, tag, name, app"),
        ("{source: apps, port-index: 1, app: a b}", '"a b" is not the id of an app; write "/prod/web"'),
        ("{source: apps, app: /../x}", '"/../x" is not the id of an app'),
        ("{source: apps, app: /web, port: 80}", "from.port: has no meaning for a source of type marathon"),
        ("{source: apps, app: /web, label: a}", "from.label: has no meaning for a source of type marathon"),
        ("{source: apps, app: /web, port-index: -1}", "port-index: expected at least 0"),
        ("{source: aws, label: Name=web}", "says no port, and machines have none; add `port`"),
        ("{source: aws, label: Name=web, port: 80, app: /x}", "from.app: has no meaning for a source of type ec2"),
        ("{source: aws, label: '=web', port: 80}", "names no label"),
        ("{source: docker, app: /web}", "from.app: has no meaning for a source of type docker"),
        ("{source: docker, image: x, port-index: 0}", "from.port-index: has no meaning for a source of type docker"),
    ],
)
def test_mistakes_of_services(written: Written, picked: str, problem: str) -> None:
    problems = written.problems(f"{SOURCES}services:\n  web: {{from: {picked}}}\n")
    assert len(problems) == 1, problems
    assert problem in problems[0]


def test_what_is_asked_for(written: Written) -> None:
    """An app's ports are picked one by one, tags as labels are."""
    loaded = written.load(f"""{SOURCES}
services:
  web: {{from: {{source: apps, app: prod/web/}}}}
  admin: {{from: {{source: apps, app: /prod/web, port-index: 1}}}}
  both: {{from: [{{source: apps, app: /prod/web}}, {{source: aws, label: [Name=web, tier], port: 80}}]}}
""")
    marathon, ec2 = loaded.config.sources["apps"], loaded.config.sources["aws"]
    assert isinstance(marathon, MarathonSource)
    assert isinstance(ec2, Ec2Source)
    assert [(pick.name, pick.service, pick.tag) for pick in picks_of(loaded, "apps", marathon)] == [
        ("web", "/prod/web", "port 0"),
        ("admin", "/prod/web", "port 1"),
        ("both.from[0]", "/prod/web", "port 0"),
    ]
    [pick] = picks_of(loaded, "aws", ec2)
    assert (pick.name, [each.key for each in pick.labels], pick.port) == ("both.from[1]", ["Name", "tier"], 80)
    for name, source in (("apps", marathon), ("aws", ec2)):
        assert adapter_of(loaded, name, source)


def test_aws_own_variables(written: Written) -> None:
    """They count where the file says nothing, and are told as origins; secrets are not."""
    environ = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://local:4566"}
    text = """
sources:
  ec2: {access-key-id: A, secret-access-key: hidden}
  there: {type: ec2, region: us-west-2, endpoint: "https://ec2.test"}
"""
    loaded = written.load(text, environ)
    here, there = loaded.config.sources["ec2"], loaded.config.sources["there"]
    assert isinstance(here, Ec2Source)
    assert isinstance(there, Ec2Source)
    assert (here.region, here.endpoint) == ("eu-west-1", "http://local:4566")
    assert (there.region, there.endpoint) == ("us-west-2", "https://ec2.test")
    assert loaded.origins["sources.ec2.region"].where == "AWS_REGION"
    assert not any("hidden" in origin.value for origin in loaded.origins.values())
    assert "hidden" not in repr(loaded.config)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("from: {label: a}, from-toggle: {url: 's3://bucket/k'}", "needs a name for each item of `from`"),
        ("from: [{as: a, label: a}, {label: b}], from-toggle: {url: 's3://bucket/k'}", "needs a name for each item"),
        ("endpoints: [], from-toggle: {url: 's3://bucket/k'}", "`from-toggle` has a meaning only with `from`"),
        (
            "from: [{as: a, label: a}], from-first: true, from-toggle: {url: 's3://bucket/k'}",
            "has both `from-first` and `from-toggle`",
        ),
        ("from: {as: a, label: a}, from-toggle: {}", "from-toggle.url: is missing"),
        ("from: {as: a, label: a}, from-toggle: {url: s3://bucket}", '"s3://bucket" is no place of a document'),
        ("from: {as: a, label: a}, from-toggle: {url: 'ftp://h/x'}", "is no place of a document"),
        ("from: {as: a, label: a}, from-toggle: {url: 'file://x/y'}", "is no place of a document"),
        ("from: {as: a, label: a}, from-toggle: {url: /x}", 'did you mean "file:///x"?'),
        ("from: {as: a, label: a}, from-toggle: {url: 'http://h/x', interval: 0}", "too short"),
        ("from: {as: a, label: a}, from-toggle: {url: 'http://h/x', region: a}", "`region` has a meaning only with s3"),
    ],
)
def test_mistakes_of_toggles(written: Written, said: str, problem: str) -> None:
    problems = written.problems(f"services:\n  web: {{{said}}}\n")
    assert len(problems) == 1, problems
    assert problem in problems[0]


def test_a_toggle_in_s3(written: Written) -> None:
    """AWS's variables say the region and where S3 is; a list of one item can be toggled too."""
    text = "services: {web: {from: [{as: a, label: a}], from-toggle: {url: 's3://bucket/a/key'}}}"
    loaded = written.load(text, {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": "http://s3.local"})
    toggle = loaded.config.services["web"].from_toggle
    assert toggle is not None
    assert (toggle.region, toggle.endpoint, toggle.interval) == ("eu-west-1", "http://s3.local", 60.0)
    assert loaded.config.services["web"].composed
