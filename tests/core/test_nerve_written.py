"""Entries as Nerve itself writes them, byte by byte: node names, keys and payloads (nerve/reporter/*.rb)."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from longshore.core.entries import Entry, Manner
from longshore.core.layouts import layout_of
from longshore.core.layouts.nerve import LONGEST_NAME

FOLDER = "/nerve/services/web/services"
ENTRY = Entry("web", "i-1", "10.0.0.5", 3000, "i-1", owner="h1", manner=Manner(FOLDER))
FULL = replace(ENTRY, weight=10, server_options="backup", labels=(("role", "wéb"), ("az", "eu-1a")))
PAYLOAD = b'{"host":"10.0.0.5","port":3000,"name":"i-1"}'


def written(entry: Entry, *, etcd: bool = False) -> tuple[str, bytes]:
    write = layout_of("nerve", etcd=etcd).write
    assert write is not None
    return write("/elsewhere", entry)


def manner(**more: Any) -> Manner:
    return replace(ENTRY.manner, **more)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        pytest.param(ENTRY, PAYLOAD, id="A3 payload: host, port, name"),
        pytest.param(
            replace(ENTRY, weight=0),
            b'{"host":"10.0.0.5","port":3000,"name":"i-1","weight":0}',
            id="A3 payload: weight",
        ),
        pytest.param(
            FULL,
            '{"host":"10.0.0.5","port":3000,"name":"i-1","weight":10,"haproxy_server_options":"backup",'
            '"labels":{"role":"wéb","az":"eu-1a"}}'.encode(),
            id="A3 payload: haproxy_server_options, labels in their order",
        ),
        pytest.param(
            replace(ENTRY, labels=(("q", 'a"b\\c/\n\x01'),)),
            b'{"host":"10.0.0.5","port":3000,"name":"i-1","labels":{"q":"a\\"b\\\\c/\\n\\u0001"}}',
            id="A3 payload: what JSON escapes",
        ),
        pytest.param(
            replace(ENTRY, zone="z", tags=("t",), since=5.0, machine="m"), PAYLOAD, id="A3 payload: nothing else"
        ),
    ],
)
def test_the_payload_is_nerves(entry: Entry, value: bytes) -> None:
    assert written(entry)[1] == value
    assert written(entry, etcd=True)[1] == value


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        pytest.param(ENTRY, f"{FOLDER}/i-1_", id="A3 znode: <zk_path>/<instance_id>_"),
        pytest.param(replace(ENTRY, id="web1.example.com"), f"{FOLDER}/web1.example.com_", id="A3 znode: a host name"),
        pytest.param(
            replace(ENTRY, manner=manner(encoded=True)),
            f"{FOLDER}/base64_60_eyJob3N0IjoiMTAuMC4wLjUiLCJwb3J0IjozMDAwLCJuYW1lIjoiaS0xIn0=_",
            id="A3 znode: base64_<len>_<payload>_",
        ),
    ],
)
def test_the_node_is_named_as_nerve_names_it(entry: Entry, key: str) -> None:
    assert written(entry)[0] == key


@pytest.mark.parametrize("characters", [pytest.param("ÿþ~?>", id="A3 use_path_encoding: urlsafe")])
def test_path_encoding_there_and_back(characters: str) -> None:
    entry = replace(FULL, labels=(("odd", characters * 20),), manner=manner(encoded=True))
    key, value = written(entry)
    name = key.removeprefix(f"{FOLDER}/")
    match = re.fullmatch(r"base64_(\d+)_([A-Za-z0-9_=-]+)_", name)
    assert match
    assert len(match[2]) == int(match[1])
    assert base64.urlsafe_b64decode(match[2]) == value
    found = layout_of("nerve").read(FOLDER, f"{key}0000000012", b"whatever stands in it")
    assert isinstance(found, Entry)
    assert (found.service, found.id, found.weight, found.labels) == ("web", "10.0.0.5:3000", 10, entry.labels)
    assert found.server_options == "backup"


@pytest.mark.parametrize("size", [pytest.param(LONGEST_NAME, id="A3 use_path_encoding: at most 64 KiB")])
def test_what_is_too_long_for_a_name_is_written_plainly(size: int) -> None:
    entry = replace(ENTRY, labels=(("x", "y" * size),), manner=manner(encoded=True))
    assert written(entry)[0] == f"{FOLDER}/i-1_"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param("/services/web", "/services/web/i-1/00000000000000003000", id="A3 etcd_path"),
        pytest.param("/", "/i-1/00000000000000003000", id="A3 etcd_path: by default"),
        ("", "/elsewhere/web/services/i-1/00000000000000003000"),
    ],
)
def test_in_etcd_the_instance_is_a_folder(path: str, key: str) -> None:
    assert written(replace(ENTRY, manner=manner(path=path)), etcd=True)[0] == key


@pytest.mark.parametrize(
    ("key", "service"),
    [
        ("/nerve/services/web/services/i-1/00000000000000003000", "web"),
        ("/nerve/services/web/i-1/42", "web"),
        ("/nerve/services/i-1/42", "nerve"),
    ],
)
def test_what_nerve_wrote_into_etcd_is_read(key: str, service: str) -> None:
    found = layout_of("nerve", etcd=True).read("/nerve/services", key, PAYLOAD)
    assert isinstance(found, Entry)
    assert (found.service, found.id, found.name) == (service, "10.0.0.5:3000", "i-1")


def test_other_keys_in_etcd_are_none_of_ours() -> None:
    layout = layout_of("nerve", etcd=True)
    assert layout.read("/nerve/services", "/nerve/services/web/config", b"{}") is None
    assert layout.read("/nerve/services", "/nerve/services", b"") is None


def test_our_own_layout_may_stand_in_any_folder_too() -> None:
    write = layout_of("native").write
    assert write is not None
    assert write("/elsewhere", ENTRY)[0] == f"{FOLDER}/i-1"
