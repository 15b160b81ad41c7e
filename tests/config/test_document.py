"""YAML files: plain data with positions, or sentences for people."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.config.document import LARGEST, Document, parse, read, unreadable
from longshore.config.problems import Place


def said(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


def test_yaml_1_2_is_read_not_1_1() -> None:
    """`on` is a text, `12:30` is no number, 010 is ten, a date is a text."""
    text = b"[true, on, yes, 12:30, 010, 0o17, 0x1f, 2.5, 1e3, ~, '', 2001-01-01]"
    expected = [True, "on", "yes", "12:30", 10, 15, 31, 2.5, 1000.0, None, "", "2001-01-01"]
    assert parse(text, "f").data == expected


def test_every_key_and_value_has_its_position() -> None:
    document = parse(b"a:\n  b: [1, 2]\n  c: x\n", "f")
    assert document.keys[("a", "b")] == Place("f", 2, 3)
    assert document.values[("a", "b", 1)] == Place("f", 2, 10)
    assert document.place(("a", "c")) == Place("f", 3, 6)
    assert document.place(("a", "c"), key=True) == Place("f", 3, 3)


def test_what_was_not_written_is_placed_at_what_is_around_it() -> None:
    document = parse(b"a:\n  b: 1\n", "f")
    assert document.place(("a", "missing", "deep")) == Place("f", 1, 1)
    assert document.place(("a", "b", "deeper")) == Place("f", 2, 3)
    assert document.place(("nothing",)) == Place("f", 1, 1)


def test_a_key_said_twice_is_refused_with_both_positions() -> None:
    document = parse(b"a: 1\nb: {c: 1}\na: 2\n", "f.yaml")
    assert said(document) == ["f.yaml:3:1: a: is said twice, first in line 1, column 1; remove one"]


def test_a_key_said_twice_is_found_at_every_depth() -> None:
    document = parse(b"a:\n  b:\n    - {c: 1, c: 2}\n", "f")
    assert said(document) == ["f:3:14: a.b[0].c: is said twice, first in line 3, column 8; remove one"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"a: b: c\n", 'f:1:5: not valid YAML: mapping values are not allowed here; is an indentation wrong, or is'
         ' there ": " in a text without quotes?'),
        (b"a:\n\tb: 1\n", "f:2:1: a tab cannot indent in YAML; use spaces"),
        (b"host: *.example.com # all\n", "f:1:7: a text cannot begin with * unless it is in quotes; write"
         ' "*.example.com" in quotes'),
        (b"host: *all\n", 'f:1:7: a text cannot begin with * unless it is in quotes; write "*all" in quotes'),
        (b"a: @x\n", "f:1:4: a text cannot begin with @ unless it is in quotes; put it in quotes"),
        (b"a: [1, 2\nb: 3\n", "f:2:2: not valid YAML: expected ',' or ']', but got ':'; is a comma, a closing quote or"
         " a bracket missing?"),
        (b"a: 'x\n", "f:2:1: not valid YAML: found unexpected end of stream; is a closing quote or bracket missing?"),
        (b"  a: 1\n b: 2\n", "f:2:2: this does not fit the lines before it; is the indentation the same, is every"
         " bracket closed once?"),
        (b"a: 1\n---\nb: 2\n", 'f:2:1: a second document begins here, expected one; remove the line "---" or split the'
         " file"),
        (b"a: 1\nb: \x07\n", "f:2:4: not valid YAML: a control character; remove it, or write it escaped"),
        (b"a: 1\nb: \xe4\n", "f:2:4: byte 0xe4 is not UTF-8; save the file as UTF-8"),
        (b"a: \0\n", "f: is not a text file: it contains NUL bytes; is this the right file?"),
        (b"[" * 5000, "f: is nested too deeply"),
        (b"<<: {a: 1}", 'f:1:1: merge keys ("<<") are not supported; write the keys out'),
        (b"a: !secret x", "f:1:4: a: the tag !secret is not supported; write plain text or numbers"),
        (b"? [a]\n: 1", "f:1:3: a key must be a plain word"),
        (b"a: &a {b: *a}", "f:1:4: a.b: contains itself through an alias"),
        (b"a: " + b"9" * 5000, "f:1:4: a: a number of that length is not supported; put it in quotes if it is a text"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_said_in_a_sentence_with_line_and_column(text: bytes, sentence: str) -> None:
    assert said(parse(text, "f")) == [sentence]


def test_a_huge_file_is_refused_unparsed() -> None:
    assert said(parse(b"#" * (LARGEST + 1), "f")) == ["f: is larger than 1 MiB; is this the right file?"]


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert said(parse("\n".join(lines).encode(), "f")) == [
        "f: not valid YAML: more than 100,000 values; do aliases multiply them?"
    ]


def test_aliases_and_reused_anchors_work() -> None:
    assert parse(b"a: &x [1]\nb: *x\nc: &x 2\nd: *x\n", "f").data == {"a": [1], "b": [1], "c": 2, "d": 2}


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbfa: 1", "f").data == {"a": 1}


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    assert said(read(tmp_path / "x")) == [f"{tmp_path}/x: does not exist"]
    assert said(read(tmp_path / "no" / "x")) == [
        f"{tmp_path}/no/x: does not exist; there is no folder {tmp_path}/no either"
    ]


def test_a_folder_in_place_of_a_file_is_said(tmp_path: Path) -> None:
    assert said(read(tmp_path)) == [f"{tmp_path}: is a folder, expected a file; name the YAML file inside it"]


def test_a_file_without_permission_is_said() -> None:
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    assert said(unreadable(error, Path("/etc/x"))) == [
        "/etc/x: cannot be read: permission denied; the user that longshore runs as must be allowed to read it"
    ]


@given(st.binary(max_size=200))
def test_any_bytes_give_data_or_problems_never_an_exception(content: bytes) -> None:
    document = parse(content, "f")
    assert document.data is None or isinstance(document.data, (dict, list, str, int, float, bool))


@given(st.text(alphabet="ab:-[]{}*&!|>'\"#%@`, \n\t0", max_size=60))
def test_any_text_gives_data_or_problems_never_an_exception(text: str) -> None:
    for problem in parse(text.encode(), "f").problems:
        assert "\n" not in str(problem)
