"""`check`: all problems at once, each with its place, without an engine, HAProxy or root."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.containers import inspected, shop, write
from tests.lab.authority import Authority


def config(folder: Path, text: str) -> str:
    path = folder / "longshore.yaml"
    path.write_text(text)
    return str(path)


def test_the_defaults_are_fine(command: Command) -> None:
    ended = command("check")
    assert ended.code == 0
    assert "no configuration file, so the defaults: fine" in ended.out
    assert "source docker: its engine is not asked; give its containers with --snapshot" in ended.out


def test_everything_wrong_is_said_at_once_with_its_place(tmp_path: Path, command: Command) -> None:
    path = config(tmp_path, "frontends: {http: 80x}\nhaproxy: {mod: managed}\nforget-after: soon\n")
    ended = command("check", "--config", path)
    assert ended.code == 1
    for place in (f"{path}:1:", f"{path}:2:11", f"{path}:3:"):
        assert place in ended.out
    assert 'did you mean "mode"?' in ended.out
    assert f"{path}: 3 problems" in ended.out
    answer = json.loads(command("check", "--config", path, "--json").out)
    assert answer["valid"] is False
    assert len(answer["problems"]) == 3


def test_secrets_that_are_not_here_are_noted(tmp_path: Path, command: Command) -> None:
    """They are no fault of the configuration: it may be checked where nobody has them."""
    lines = [
        "sources:",
        "  etcd: {username: me, password-file: password}",
        "  zookeeper: {auth-file: auth}",
        "  consul: {token-file: token}",
        "admin: {token-file: admin}",
    ]
    path = config(tmp_path, "\n".join(lines))
    ended = command("check", "--config", path)
    assert ended.code == 0
    for place, file in (
        ("sources.etcd.password-file", "password"),
        ("sources.zookeeper.auth-file", "auth"),
        ("sources.consul.token-file", "token"),
        ("admin.token-file", "admin"),
    ):
        assert f"note: {place}: {tmp_path / file} " in ended.out
        (tmp_path / file).write_text("secret\n")
    assert "(here)" not in command("check", "--config", path).out


def test_certificates_that_are_not_here_are_noted(tmp_path: Path, command: Command) -> None:
    """As little a fault as a secret; the frontend is left out until there is one."""
    pem = tmp_path / "site.pem"
    path = config(tmp_path, f'frontends: {{https: {{bind: ":443", tls: {{certificates: {pem}}}}}}}\n')
    ended = command("check", "--config", path)
    assert ended.code == 0
    assert f"note: frontends.https.tls.certificates: {pem} does not exist (here)" in ended.out
    pem.write_text("nothing\n")
    assert f"{pem} contains no certificate (here)" in command("check", "--config", path).out
    parts = Authority(tmp_path).sign("site", names="DNS:web.localhost")
    pem.write_text("".join(part.read_text() for part in parts))
    assert "tls.certificates" not in command("check", "--config", path).out


@pytest.mark.parametrize("half", ["username: me", "password-file: password"])
def test_half_a_login_is_none(half: str, tmp_path: Path, command: Command) -> None:
    ended = command("check", "--config", config(tmp_path, f"sources: {{etcd: {{{half}}}}}\n"))
    assert ended.code == 1
    other = "password-file" if half.startswith("user") else "username"
    assert f":1:18: sources.etcd.{half.partition(':')[0]}: needs {other} beside it" in ended.out


def test_labels_of_a_snapshot_are_checked(tmp_path: Path, command: Command) -> None:
    good = inspected("good", {"longshore.host": "good.test"})
    bad = inspected("bad", {"longshore.host": "bad.test", "longshore.wieght": "3"}, "172.18.0.3")
    ended = command("check", "--snapshot", str(write(tmp_path, [good, bad, {"Id": 3}])))
    assert ended.code == 1
    assert "good.test/" in ended.out, "one bad container harms no other"
    assert "longshore.wieght" in ended.out
    assert "did you mean weight?" in ended.out
    assert "entry 3: is no container" in ended.out


def test_what_a_snapshot_gives(tmp_path: Path, command: Command) -> None:
    path = str(shop(tmp_path))
    ended = command("check", "--snapshot", path)
    assert (ended.code, ended.err) == (0, "")
    assert "shop-web  2 endpoints  shop.test/" in ended.out
    answer = json.loads(command("check", "--snapshot", path, "--json").out)
    assert sorted(e["address"] for e in answer["services"][0]["endpoints"]) == ["172.18.0.2", "172.18.0.3"]


def test_a_snapshot_from_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([inspected("a", {"longshore.host": "a.test"})])))
    assert "a.test/" in command("check", "--snapshot", "-").out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[{]", "snapshot.json:1:3: is no JSON"),
        (b"", "snapshot.json:1:1: is no JSON"),
        (b"3", "is neither an array nor an object"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (None, "snapshot.json: cannot be read: No such file or directory"),
    ],
)
def test_a_snapshot_that_is_none(tmp_path: Path, command: Command, text: bytes | None, said: str) -> None:
    path = tmp_path / "snapshot.json"
    if text is not None:
        path.write_bytes(text)
    ended = command("check", "--snapshot", str(path))
    assert ended.code == 1
    assert said in ended.err
    assert "docker inspect" in ended.err


@pytest.mark.parametrize("document", [None, [], "text", {"Id": "a", "Config": 3}, {"Id": [], "Name": {}}])
def test_entries_of_any_shape_are_problems_and_no_more(tmp_path: Path, command: Command, document: object) -> None:
    path = write(tmp_path, [document, inspected("good", {"longshore.host": "good.test"})])
    ended = command("check", "--snapshot", str(path))
    assert "good.test/" in ended.out
    assert ended.code in (0, 1)


def test_files_of_the_file_source_are_checked(tmp_path: Path, command: Command) -> None:
    (tmp_path / "services.d").mkdir()
    (tmp_path / "services.d" / "db.yaml").write_text('services:\n  db: {tcp: ":5432", endpoints: ["10.0.0.5"]}\n')
    path = config(tmp_path, "sources: {file: {path: services.d}}\n")
    ended = command("check", "--config", path)
    assert ended.code == 1
    assert "db.yaml:2:" in ended.out
    (tmp_path / "services.d" / "db.yaml").write_text(
        'services:\n  db: {tcp: ":5432", endpoints: ["10.0.0.5:5432", "vm1.internal:5432"]}\n'
    )
    ended = command("check", "--config", path)
    assert ended.code == 0
    assert "db  1 endpoint  :5432 (TCP)" in ended.out
    assert "vm1.internal: is not looked up" in ended.out
    assert "cannot be read" in command("check", "--config", config(tmp_path, "sources: {file: {path: none}}")).out


def test_two_services_that_claim_one_route(tmp_path: Path, command: Command) -> None:
    path = config(
        tmp_path,
        'sources: {}\nservices:\n  a: {host: x.test, endpoints: ["10.0.0.1:80"]}\n'
        '  b: {host: x.test, endpoints: ["10.0.0.2:80"]}\n',
    )
    ended = command("check", "--config", path)
    assert ended.code == 1
    assert "x.test/" in ended.out


def test_a_snapshot_needs_a_source_for_it(tmp_path: Path, command: Command) -> None:
    ended = command("check", "--config", config(tmp_path, "sources: {}\n"), "--snapshot", str(shop(tmp_path)))
    assert ended.code == 2
    assert "has no source of type docker" in ended.err


def test_origins(tmp_path: Path, command: Command) -> None:
    path = config(tmp_path, "forget-after: 5m\n")
    ended = command("check", "--config", path, "--origins")
    line = next(line for line in ended.out.splitlines() if line.startswith("forget-after"))
    assert line.split() == ["forget-after", "300s", f"{path}:1:15"]
    answer = json.loads(command("check", "--config", path, "--origins", "--json").out)
    assert answer["origins"]["state-dir"]["where"] == "LONGSHORE_STATE_DIR"
