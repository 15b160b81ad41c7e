"""What people read: status, explain, events."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from longshore.agent.report import ServiceStatus, SourceStatus, Status
from longshore.cli import ask
from longshore.cli.shown import status_lines
from longshore.core.model import Problem
from tests.cli.conftest import Command, ServedAgent
from tests.web.fake_agent import STATUS


def test_the_status_tells_everything_a_person_needs(agent: ServedAgent, command: Command) -> None:
    ended = command("status")
    assert (ended.code, ended.err) == (0, "")
    for text in (
        "longshore 1.2.3: ready",
        "HAProxy 3.4.1: running, managed, pid 42",
        "1 reload, the last",
        "new address :8080",
        "stale  docker  1 service, 2 endpoints",
        "the engine does not answer",
        "shop-web  1 of 2 up  roundrobin  shop.localhost/, shop.localhost/api (exact)",
        "checking  shop-web-2  172.18.0.3:80  weight 100",
        "connection refused",
        'container shop-db-1: label longshore.wieght: unknown key; did you mean "weight"?',
        "    mend it",
        "reload: new address :9090",
    ):
        assert text in ended.out


def test_the_status_of_one_service(agent: ServedAgent, command: Command) -> None:
    ended = command("status", "shop-web")
    assert ended.code == 0
    assert ended.out.startswith("shop-web  1 of 2 up")
    assert "HAProxy" not in ended.out
    ended = command("status", "shop")
    assert ended.code == 1
    assert "there is no service shop\n  known services: shop-web" in ended.err
    assert [s["name"] for s in json.loads(command("status", "--json", "shop-web").out)["services"]] == ["shop-web"]


def test_the_status_as_json_is_the_api_s(agent: ServedAgent, command: Command) -> None:
    assert json.loads(command("status", "--json").out)["services"][0]["endpoints"][0]["state"] == "up"


def test_not_ready_is_1(agent: ServedAgent, command: Command) -> None:
    agent.do(agent.fake.change(replace(STATUS, ready=False)))
    ended = command("status")
    assert ended.code == 1
    assert "not ready yet" in ended.out


def test_a_service_that_is_not_served_is_1(agent: ServedAgent, command: Command) -> None:
    agent.do(agent.fake.change(replace(STATUS, unserved=("node", "old"))))
    ended = command("status")
    assert ended.code == 1
    assert "ready, but not served: node, old" in ended.out


@pytest.mark.parametrize("broken", ["frontends: {http: {bond: 80}}\n", "sources: [\n"], ids=["wrong", "no YAML"])
def test_a_configuration_with_problems_does_not_hide_the_agent(
    broken: str, agent: ServedAgent, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own `state-dir` counts as far as it can be read, else the default."""
    monkeypatch.delenv("LONGSHORE_STATE_DIR")
    monkeypatch.setattr(ask, "ROOTS_STATE", agent.folder)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    config = tmp_path / "longshore.yaml"
    config.write_text(broken)
    assert command("status", "--config", str(config)).code == 0
    monkeypatch.setattr(ask, "ROOTS_STATE", tmp_path)
    config.write_text(f"state-dir: {agent.folder}\n{broken}")
    assert (command("status", "--config", str(config)).code == 0) is (broken[:2] == "fr")


def test_watching_shows_every_change_until_the_agent_ends(agent: ServedAgent, command: Command) -> None:
    def change_and_end() -> None:
        agent.until_watched()
        agent.do(agent.fake.put("shop-web-2", "up"))
        agent.until_watched()
        agent.unserve()

    timer = threading.Thread(target=change_and_end)
    timer.start()
    ended = command("status", "--watch", "--json")
    timer.join()
    agent.serve()
    seen = [json.loads(line)["seq"] for line in ended.out.splitlines()]
    assert ended.code == 3
    assert seen[0] == 1
    assert 2 in seen


def test_what_containers_call_themselves_cannot_reach_the_terminal() -> None:
    """Escape sequences in names and reasons could rewrite the screen."""
    evil = "\x1b[2J\r\nfake line"
    status = Status(
        version="1",
        sources=(SourceStatus("docker", "docker", "stale", evil),),
        services=(ServiceStatus(evil, "http", sources=("docker",)),),
        problems=(Problem(evil, evil, evil),),
        pending=(evil,),
    )
    for line in status_lines(status, now=0.0):
        assert line.isprintable()


def test_an_empty_status_says_how_to_begin() -> None:
    assert "start a container with the label" in "\n".join(status_lines(Status("1"), now=0.0))


def test_a_status_of_another_version_is_refused_in_words(agent: ServedAgent, command: Command) -> None:
    agent.do(agent.fake.change(replace(STATUS, mode="cloud")))  # type: ignore[arg-type]
    ended = command("status")
    assert ended.code == 1
    assert "the agent is of another version (1.2.3)" in ended.err


def test_a_frozen_source_says_how_much_it_keeps() -> None:
    status = Status("1", sources=(SourceStatus("etcd", "etcd", "current", services=2, endpoints=5, kept=3),))
    assert "2 services, 5 endpoints, frozen: 3 of them not registered" in "\n".join(status_lines(status, now=0.0))


def test_explain_says_where_a_request_goes(agent: ServedAgent, command: Command) -> None:
    ended = command("explain", "http://shop.localhost/cart")
    assert (ended.code, ended.err) == (0, "")
    assert "answers (roundrobin)" in ended.out.splitlines()[0]
    for text in ("frontend", "shop.localhost/", "up       shop-web-1  172.18.0.2:80", "waiting  shop-web-2"):
        assert text in ended.out


def test_explain_ends_with_1_where_no_service_answers(agent: ServedAgent, command: Command) -> None:
    ended = command("explain", "http://other.localhost/")
    assert ended.code == 1
    assert ended.out.startswith("404: ")
    ended = command("explain", "http://other.localhost/", "--json")
    assert (ended.code, json.loads(ended.out)["status"]) == (1, 404)


def test_explain_refuses_nonsense(agent: ServedAgent, command: Command) -> None:
    ended = command("explain", "nonsense")
    assert ended.code == 1
    assert "'nonsense' is no URL\n  like http://a.test/" in ended.err


def test_events(agent: ServedAgent, command: Command) -> None:
    assert "endpoint shop-web-1 up  it answered" in command("events").out
    assert json.loads(command("events", "--json").out)["events"][0]["seq"] == 1


def test_events_are_followed_until_the_agent_ends(agent: ServedAgent, command: Command) -> None:
    def say_and_end() -> None:
        agent.until_watched()
        agent.do(agent.fake.say("news"))
        agent.until_watched()
        agent.unserve()

    timer = threading.Thread(target=say_and_end)
    timer.start()
    ended = command("events", "--follow", "--json")
    timer.join()
    agent.serve()
    assert ended.code == 0
    assert [json.loads(line)["what"] for line in ended.out.splitlines()] == ["endpoint shop-web-1 up", "news"]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!", b"HTTP/1.1 200 OK\r\n", b"?"]
)
def test_whoever_answers_without_being_an_agent_is_3(state: Path, command: Command, answer: bytes) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(state / "longshore.sock"))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        ended = command("status")
        thread.join()
    assert ended.code == 3
