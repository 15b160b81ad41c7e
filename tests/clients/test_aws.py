"""The clients of AWS against a server that checks every signature: what is read, and what is said when it refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from longshore.clients.aws import Aws, Patience, Question
from longshore.clients.aws_faults import AwsError, MissingError
from longshore.clients.aws_xml import parse
from longshore.clients.ec2 import Filters, Instance, literal, running
from tests.lab.amazon import KEY, REGION, SECRET, Amazon, Metadata

QUICK = Patience(connect=1.0, answer=1.0)
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
NOWHERE = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    with Amazon() as api:
        yield api


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    with Metadata() as service:
        yield service


def client_of(amazon: Amazon, **more: Any) -> Aws:
    options: dict[str, Any] = {"region": REGION, "environ": KEYS, "patience": QUICK} | more
    return Aws(endpoint=amazon.url, **options)


async def found(amazon: Amazon, filters: Filters = {}, **more: Any) -> list[Instance]:  # noqa: B006  not changed
    async with client_of(amazon, **more) as aws:
        return await running(aws, filters)


async def fault(amazon: Amazon, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await found(amazon, **more)
    return caught.value


async def test_machines_that_run(amazon: Amazon) -> None:
    amazon.machine("i-1", "10.0.0.5", Name="web", owner="ops <a&b>")
    amazon.machine("i-2", "10.0.0.6", "stopped", Name="web")
    amazon.machine("i-3", "", Name="web")
    assert await found(amazon) == [
        Instance(
            "i-1",
            "10.0.0.5",
            "ip-10-0-0-5.eu-west-1.compute.internal",
            "eu-west-1a",
            "2018-05-08T16:46:19.000Z",
            (("Name", "web"), ("owner", "ops <a&b>")),
        ),
        Instance("i-3", "", "", "eu-west-1a", "2018-05-08T16:46:19.000Z", (("Name", "web"),)),
    ]


async def test_filters_are_meant_literally(amazon: Amazon) -> None:
    amazon.machine("i-1", "10.0.0.5", Name="web*")
    amazon.machine("i-2", "10.0.0.6", Name="web2")
    amazon.machine("i-3", "10.0.0.7", tier="x")
    assert [each.id for each in await found(amazon, {"tag:Name": (literal("web*"),)})] == ["i-1"]
    assert [each.id for each in await found(amazon, {"tag:Name": ("web*",)})] == ["i-1", "i-2"]
    assert [each.id for each in await found(amazon, {"tag-key": ("tier",)})] == ["i-3"]
    assert literal("a\\b?c") == "a\\\\b\\?c"


async def test_all_pages_are_read() -> None:
    with Amazon(page=2) as amazon:
        for number in range(7):
            amazon.machine(f"i-{number}", f"10.0.0.{number}")
        assert [each.id for each in await found(amazon)] == [f"i-{number}" for number in range(7)]
        assert len(amazon.calls) == 4


async def test_pages_without_an_end_are_none(amazon: Amazon) -> None:
    amazon.endless = True
    assert "its pages have no end" in (await fault(amazon)).what


async def test_an_object(amazon: Amazon) -> None:
    amazon.objects["/toggles/a b.yaml"] = b""
    amazon.objects["/toggles/a%20b.yaml"] = b"primary: 1"
    async with client_of(amazon) as aws:
        assert await aws.send(Question("s3", "GET", "/toggles/a b.yaml")) == b"primary: 1"
        with pytest.raises(MissingError, match="has no such object"):
            await aws.send(Question("s3", "GET", "/toggles/b.yaml"))


async def test_temporary_credentials() -> None:
    with Amazon(token="t0/ken=") as amazon:
        amazon.machine("i-1", "10.0.0.5")
        assert await found(amazon, environ=KEYS | {"AWS_SESSION_TOKEN": "t0/ken="})
        said = await fault(amazon)
        assert "does not accept the session token" in said.what


@pytest.mark.parametrize(
    ("wrong", "what", "hint"),
    [
        (KEYS | {"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, "does not accept the access key AKIAWRONG", "access-key-id"),
        (KEYS | {"AWS_SECRET_ACCESS_KEY": "x"}, f"the secret does not belong to the access key {KEY}", "its secret"),
        ({"AWS_ACCESS_KEY_ID": KEY}, "AWS_SECRET_ACCESS_KEY is not", "set both"),
        (NOWHERE, "there are no credentials for AWS: the metadata service refuses", "give this machine a role"),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "AWS_EC2_METADATA_DISABLED forbids", "secret-access-key-file"),
    ],
)
async def test_wrong_credentials(amazon: Amazon, wrong: dict[str, str], what: str, hint: str) -> None:
    said = await fault(amazon, environ=wrong)
    assert what in said.what
    assert hint in said.hint
    assert SECRET not in str(said)


async def test_a_region_that_is_not_asked_for(amazon: Amazon) -> None:
    amazon.region = "us-east-1"
    said = await fault(amazon)
    assert said.what == f"EC2 at {amazon.url} says that it is in another region"
    assert said.hint == "set region to us-east-1"


@pytest.mark.parametrize(("ahead", "way"), [(1200, "behind"), (-1200, "ahead of")])
async def test_a_wrong_clock_is_said(amazon: Amazon, ahead: float, way: str) -> None:
    """EC2 answers 400 and says nothing of its own time but in the Date field."""
    amazon.ahead = ahead
    said = await fault(amazon)
    assert said.what == f"EC2 at {amazon.url} refuses us, and this machine's clock is 20 minutes {way} its"
    assert "NTP" in said.hint


async def test_no_right(amazon: Amazon) -> None:
    amazon.denied = True
    said = await fault(amazon)
    assert f"does not permit ec2:DescribeInstances to {KEY}" in said.what
    assert said.hint == "give it the right `ec2:DescribeInstances`"


async def test_too_many_questions(amazon: Amazon) -> None:
    amazon.busy = True
    said = await fault(amazon)
    assert said.what.endswith("asks us to slow down")
    assert "interval" in said.hint


@pytest.mark.parametrize(
    ("mood", "what"),
    [
        ("silent", "does not answer in time"),
        ("hangs up", "closed the connection without an answer"),
        ("breaks off", "broke off in the middle of an answer"),
        ("rubbish", "what answers as EC2 is not what was asked: <html>"),
        (500, "answers 500"),
        (403, "does not permit ec2:DescribeInstances"),
        (301, "answers 301"),
    ],
)
async def test_moods(amazon: Amazon, mood: Any, what: str) -> None:
    amazon.mood = mood
    assert what in (await fault(amazon)).what


async def test_nobody_there() -> None:
    with Amazon() as amazon:
        pass
    assert "refuses connections" in (await fault(amazon)).what


async def test_the_role_of_the_machine(metadata: Metadata) -> None:
    """Without any keys the metadata service is asked: for a session, the role, its keys, and the region if need be."""
    metadata.token = "t0/ken="
    with Amazon(token="t0/ken=") as amazon:
        amazon.machine("i-1", "10.0.0.5")
        environ = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
        async with client_of(amazon, environ=environ, region="") as aws:
            for _ in range(3):
                assert await running(aws, {})
        assert len(metadata.calls) == 2 + 3, "what is known is not asked for again"


async def test_credentials_of_the_role_are_renewed(metadata: Metadata) -> None:
    now = [time.time()]
    with Amazon() as amazon:
        async with client_of(
            amazon, environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}, clock=lambda: now[0]
        ) as aws:
            metadata.expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now[0] + 3600))
            await running(aws, {})
            asked = len(metadata.calls)
            now[0] += 200
            await running(aws, {})
            assert len(metadata.calls) == asked
            now[0] += 3200
            amazon.ahead = 3400
            await running(aws, {})
            assert len(metadata.calls) == asked + 3


async def test_refused_credentials_are_not_kept(metadata: Metadata) -> None:
    with Amazon(token="new") as amazon:
        metadata.token = "old"
        async with client_of(amazon, environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}) as aws:
            with pytest.raises(AwsError):
                await running(aws, {})
            metadata.token = "new"
            assert await running(aws, {}) == []


@pytest.mark.parametrize(
    ("role", "mood", "why"),
    [
        ("", "", "this machine has no role"),
        ("r", "rubbish", "metadata service"),
        ("r", 500, "answers /latest/api/token"),
    ],
)
async def test_no_role(metadata: Metadata, role: str, mood: Any, why: str) -> None:
    metadata.role, metadata.mood = role, mood
    with ExitStack() as stack:
        amazon = stack.enter_context(Amazon())
        said = await fault(amazon, environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url})
    assert said.what.startswith("there are no credentials for AWS: ")
    assert why in said.what


async def test_no_region() -> None:
    with Amazon() as amazon:
        said = await fault(amazon, environ=KEYS | NOWHERE, region="")
    assert said.what.startswith("nobody says which region of AWS: the metadata service")
    assert said.hint == "set region, or AWS_REGION"


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "<x>&a;</x>",
        "<x>",
        "",
        '<?xml version="1.0" encoding="odd"?><x/>',
    ],
)
def test_xml_that_is_not_read(text: str) -> None:
    """No document types, in any encoding, so that nothing is ever expanded."""
    with pytest.raises(ValueError):  # noqa: PT011  any of the parser's words
        parse(text.encode())
    with pytest.raises(ValueError):  # noqa: PT011
        parse(text.encode("utf-16"))
