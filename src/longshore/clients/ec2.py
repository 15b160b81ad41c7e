"""The little of EC2's API that is needed: which machines run, by their tags.

Source: "DescribeInstances" (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html), "Query
requests" and "Pagination" of the same reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from longshore.clients.aws import Aws, Question
from longshore.clients.aws_faults import not_aws
from longshore.clients.aws_xml import items, parse, text

VERSION = "2016-11-15"
PAGE = 1000
"""Machines in one answer: the most that EC2 gives."""
Filters = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine that runs."""

    id: str
    address: str  # its private one; "" if it has none
    name: str = ""  # its private DNS name
    zone: str = ""
    launched: str = ""
    tags: tuple[tuple[str, str], ...] = ()


def literal(value: str) -> str:
    """Spell a value for a filter, where `*`, `?` and the backslash mean something else than themselves."""
    return re.sub(r"([\\*?])", r"\\\1", value)


async def running(aws: Aws, filters: Filters) -> list[Instance]:
    """Give the machines that run and meet all filters; of a filter's values one is enough. Raises AwsError."""
    found: list[Instance] = []
    token, seen = "", set[str]()
    while True:
        words = {"Action": "DescribeInstances", "Version": VERSION, "MaxResults": str(PAGE)}
        words |= _filters({"instance-state-name": ("running",), **filters})
        words |= {"NextToken": token} if token else {}
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode(words).encode()
        answer = await aws.send(Question("ec2", "POST", "/", headers, body, "ec2:DescribeInstances"))
        try:
            root = parse(answer)
            if root.tag != "DescribeInstancesResponse" or root.find("reservationSet") is None:
                raise ValueError(f"<{root.tag}>")
        except ValueError as error:
            raise not_aws("EC2", str(error)) from error
        found += _instances(root)
        token = text(root, "nextToken")
        if not token:
            return found
        if token in seen:
            raise not_aws("EC2", "its pages have no end")
        seen.add(token)


def _filters(filters: Filters) -> Iterator[tuple[str, str]]:
    for number, (name, values) in enumerate(filters.items(), 1):
        yield f"Filter.{number}.Name", name
        for index, value in enumerate(values, 1):
            yield f"Filter.{number}.Value.{index}", value


def _instances(root: Element) -> Iterable[Instance]:
    for reservation in items(root, "reservationSet"):
        for each in items(reservation, "instancesSet"):
            if text(each, "instanceState/name") == "running" and (identity := text(each, "instanceId")):
                yield Instance(
                    identity,
                    text(each, "privateIpAddress"),
                    text(each, "privateDnsName"),
                    text(each, "placement/availabilityZone"),
                    text(each, "launchTime"),
                    tuple(sorted((text(tag, "key"), text(tag, "value")) for tag in items(each, "tagSet"))),
                )
