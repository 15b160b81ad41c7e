"""Tokens in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config import ConfigError
from longshore.config.secrets import read_token


def test_a_token_is_read_without_the_end_of_its_line_and_not_printed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    token = read_token(tmp_path / "token")
    assert token.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{token} {token!r}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"two words", "is not one word"),
        (b"tok\xc3\xa4n", "is not one word"),
        (b"x" * 5000, "is larger than 4096 bytes"),
    ],
)
def test_what_is_no_token_is_said_without_repeating_it(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_token(file)
    assert str(caught.value).startswith(f"{file}: {sentence}")
    assert "words" not in str(caught.value)


def test_a_missing_token_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_token(tmp_path / "token")
