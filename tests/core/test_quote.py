"""Whatever goes in is one word of one line, or is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshore.core import quote


def words(line: str) -> list[str]:
    """Split a line as HAProxy does (configuration manual, section 2.2), without environment variables."""
    found: list[str] = []
    now: str | None = None
    at = 0
    while at < len(line):
        char = line[at]
        if char == "#":
            break
        if char in " \t":
            if now is not None:
                found.append(now)
            now = None
        elif char == "'":
            end = line.index("'", at + 1)
            now = (now or "") + line[at + 1 : end]
            at = end
        elif char == "\\":
            at += 1
            now = (now or "") + line[at]
        else:
            assert char not in '"$', f"{char} is special outside of strong quotes"
            now = (now or "") + char
        at += 1
    return found if now is None else [*found, now]


@given(st.text())
@example("it's")
@example("a b#c\"d$e\\f'g")
@example("'")
@example("")
def test_a_quoted_text_is_exactly_one_word(text: str) -> None:
    try:
        quoted = quote.quote(text)
    except ValueError:
        return
    assert words(f"before {quoted} after") == ["before", text, "after"]


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "\x1b", "\x7f", "\x85", "\u2028", "\ud800", "x" * 65536])
@pytest.mark.parametrize("guard", [quote.quote, quote.word, quote.path, quote.map_key, quote.line])
def test_nothing_lets_line_ends_control_characters_or_floods_through(text: str, guard: Callable[[str], str]) -> None:
    if len(text) > 2000 and guard in (quote.line, quote.map_key):
        return  # bounded by what comes before: routes are refused at 4,096 characters
    with pytest.raises(ValueError, match=r"."):
        guard(text)


@given(st.text(alphabet=" \t'\"\\#$;%()[],{}|&\u00e4a/.-"))
def test_names_keys_and_paths_hold_nothing_special(text: str) -> None:
    special = set(" \t'\"\\#$;%(),{}|&\u00e4")
    for guard in (quote.word, quote.path):
        try:
            passed = guard(text)
        except ValueError:
            continue
        assert passed == text
        assert not special & set(passed)
    with contextlib.suppress(ValueError):
        assert not set(quote.map_key(text)) & set(" \t")


def test_plain_words_stay_as_they_are() -> None:
    for text in ("200-399", "10.0.0.1:80", "hdr(X-User)", "/health?a=1&b=2", "h2,http/1.1", "*.example.com"):
        assert quote.quote(text) == text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (10, "10s"),
        (0.5, "500ms"),
        (1.5, "1500ms"),
        (0.0001, "1ms"),
        (3600, "3600s"),
        (0, "24d"),
        (-1, "24d"),
        (1e9, "24d"),
    ],
)
def test_durations_are_said_in_whole_units_and_0_is_off(seconds: float, said: str) -> None:
    assert quote.duration(seconds) == said
