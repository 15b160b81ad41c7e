"""What labels say of how a service is served, and what clients then meet: access, TLS, shares, limits, checks."""

from __future__ import annotations

import base64
import csv
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.agent.authority import self_signed
from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.labelling import labels, labels_of
from tests.system.secure import secure_request

pytestmark = pytest.mark.system

SECRET = "$5$longshore$JcZT8Idz2vVT42y2d91mKPgp3hQyBx3YqiDWyU923p8"  # of "secret", by openssl passwd -5


class Secure(Balancer):
    """A balancer with an https frontend."""

    https: int
    certificate: Path


@pytest.fixture(scope="module")
def shared(_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder, https = tmp_path_factory.mktemp("certificates"), ports.free()
    (folder / "site.pem").write_bytes(self_signed("s.test"))
    frontend = {"bind": f":{https}", "tls": {"certificates": str(folder)}}
    balancer = Secure(engine=_engine, config={"frontends": {"https": frontend}})
    balancer.https, balancer.certificate = https, folder / "site.pem"
    with balancer:
        yield balancer


@pytest.fixture
def balancer(shared: Secure, engine: Engine) -> Iterator[Secure]:
    """One balancer for the whole file: tests use hosts and services of their own."""
    yield shared
    print(shared.log_text()[-20000:])  # noqa: T201 - pytest shows it when the test failed


def column(balancer: Balancer, service: str, endpoint: str, name: str) -> str:
    """What HAProxy's statistics say of an endpoint (by its name), or of the whole service ("BACKEND")."""
    backend = balancer.service(service)["backend"]
    rows = csv.DictReader(balancer.runtime("show stat").lstrip("# ").splitlines())
    (row,) = [row for row in rows if row["pxname"] == backend and row["svname"].rpartition(".")[0] in (endpoint, "")
              and (row["svname"] == endpoint or row["svname"].startswith(f"{endpoint}."))]  # fmt: skip
    return row[name]


def reasons(balancer: Balancer, service: str, state: str) -> list[str]:
    """Why endpoints are in this state."""
    return [end["reason"] for end in balancer.service(service)["endpoints"] if end["state"] == state]


def answers(balancer: Balancer, host: str, count: int) -> Counter[str]:
    """Who answers so many requests, and how often."""
    found = [balancer.request(host) for _ in range(count)]
    assert {answer.status for answer in found} == {200}
    return Counter(answer.who for answer in found)


def test_strip_path_removes_the_matched_path_and_tells_it(balancer: Secure, engine: Engine) -> None:
    engine.run(labels=labels("strip", host="strip.test", path="/app, /long/way", strip_path="true"))
    balancer.until_up("strip", 1)
    assert "path=/x?y=1\n" in balancer.request("strip.test", "/app/x?y=1").text
    assert "path=/\n" in balancer.request("strip.test", "/app").text
    seen = balancer.request("strip.test", "/long/way/headers").text.lower()
    assert seen.startswith("get /headers http")
    assert "x-forwarded-prefix: /long/way\r\n" in seen
    assert "x-forwarded-host: strip.test\r\n" in seen
    assert "x-forwarded-proto: http\r\n" in seen


def test_https_redirects_tls_only_and_hsts(balancer: Secure, engine: Engine) -> None:
    said = {
        **labels_of("moved", port=8000, host="s.test", redirect_https="true", hsts="1d"),
        **labels_of("hidden", port=8000, host="s.test", path="/hidden", tls="true"),
    }
    web = engine.run(labels=said)
    balancer.until_up("moved", 1)
    balancer.until_up("hidden", 1)
    moved = balancer.request("s.test", "/x?y=1")
    assert (moved.status, moved.headers["location"]) == (308, f"https://s.test:{balancer.https}/x?y=1")
    assert "strict-transport-security" not in moved.headers
    assert balancer.request("s.test", "/hidden").status == 404
    secure = secure_request(balancer.https, "s.test", trusted=balancer.certificate)
    assert (secure.who, secure.headers["strict-transport-security"]) == (web.short, "max-age=86400")
    hidden = secure_request(balancer.https, "s.test", "/hidden", trusted=balancer.certificate)
    assert (hidden.who, "strict-transport-security" in hidden.headers) == (web.short, False)


def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(balancer: Secure, engine: Engine) -> None:
    """Without a lost request; the last good certificate stays while the file is broken, and that is said."""
    engine.run(labels=labels("renewed", host="s.test", path="/renewed"))
    balancer.until_up("renewed", 1)

    def shown() -> bool:
        return secure_request(balancer.https, "s.test", "/renewed", trusted=balancer.certificate).status == 200

    assert shown()
    with Load(port=balancer.port, host="s.test", path="/renewed", rate=50, keep=False) as load:
        good = balancer.certificate.with_name("good.pem.new")
        good.write_bytes(self_signed("s.test"))
        good.rename(balancer.certificate)
        until(shown, what="the renewed certificate is shown")
        load.more(20)
    assert load.report.lost == 0, load.report
    saved = balancer.certificate.read_bytes()
    good.write_bytes(saved)
    try:
        balancer.certificate.write_text("-----BEGIN CERTIFICATE-----\nno\n")
        status = balancer.until(lambda status: [p for p in status["problems"] if "site.pem" in p["where"]])
        assert "last good" in str(status["problems"])
        assert secure_request(balancer.https, "s.test", "/renewed", trusted=good).status == 200
    finally:
        balancer.certificate.write_bytes(saved)
        good.unlink()
    balancer.until(lambda status: not [p for p in status["problems"] if "site.pem" in p["where"]])
    assert shown()


def test_auth_lets_in_who_knows_the_password(balancer: Secure, engine: Engine) -> None:
    web = engine.run(labels=labels("club", host="club.test", auth=f"ann:{SECRET}"))
    balancer.until_up("club", 1)
    refused = balancer.request("club.test")
    assert (refused.status, "Basic" in refused.headers["www-authenticate"]) == (401, True)
    for user, status in (("ann:secret", 200), ("ann:wrong", 401), ("bob:secret", 401)):
        token = base64.b64encode(user.encode()).decode()
        answer = balancer.request("club.test", headers={"Authorization": f"Basic {token}"})
        assert (answer.status, answer.who) == (status, web.short if status == 200 else "")


def test_sticky_clients_stay_and_move_on_when_their_endpoint_ends(balancer: Secure, engine: Engine) -> None:
    said = labels("sticky", host="sticky.test", sticky="SRV")
    copies = {each.short: each for each in (engine.run(labels=said), engine.run(labels=said))}
    assert balancer.serves("sticky.test", 2) == set(copies)
    first = balancer.request("sticky.test")
    cookie = {"Cookie": first.headers["set-cookie"].partition(";")[0]}
    assert cookie["Cookie"].startswith("SRV=")
    for _ in range(6):
        assert balancer.request("sticky.test", headers=cookie).who == first.who
    copies.pop(first.who).stop()
    balancer.until_up("sticky", 1)
    moved = balancer.request("sticky.test", headers=cookie)
    assert {moved.who} == set(copies)
    assert moved.headers["set-cookie"].startswith("SRV=")


def test_weights_share_the_traffic_and_zero_gets_none(balancer: Secure, engine: Engine) -> None:
    heavy, light, none = (engine.run(labels=labels("w", host="w.test", weight=weight)) for weight in (200, 50, 0))
    balancer.until_up("w", 2)
    counted = answers(balancer, "w.test", 50)
    assert counted[none.short] == 0
    assert abs(counted[heavy.short] - 40) <= 4, counted
    assert counted[light.short] > 0
    states = {end["name"]: end["state"] for end in balancer.service("w")["endpoints"]}
    assert states[none.inspect()["Name"][1:]] == "off"


def test_a_backup_serves_only_while_nobody_else_does(balancer: Secure, engine: Engine) -> None:
    backup = engine.run(labels=labels("b", host="b.test", backup="true"))
    assert balancer.serves("b.test", 1) == {backup.short}
    main = engine.run(labels=labels("b", host="b.test"))
    until(lambda: answers(balancer, "b.test", 4) == {main.short: 4}, what="only the main endpoint serves")
    main.stop()
    until(lambda: answers(balancer, "b.test", 4) == {backup.short: 4}, what="the backup serves")


def test_max_connections_makes_the_rest_wait_in_line(balancer: Secure, engine: Engine) -> None:
    engine.run("one", labels=labels("m", host="m.test", max_connections=1))
    balancer.until_up("m", 1)

    def overlapping() -> bool:
        with ThreadPoolExecutor(3) as pool:
            found = [pool.submit(balancer.request, "m.test", "/slow?300") for _ in range(3)]
            assert [each.result().status for each in found] == [200, 200, 200]
        return int(column(balancer, "m", "BACKEND", "qmax")) > 0

    until(overlapping, what="three requests at once, two of which wait")
    assert column(balancer, "m", "one", "smax") == "1"


def test_slow_start_gives_a_new_endpoint_little_at_first(balancer: Secure, engine: Engine) -> None:
    engine.run("slowly", labels=labels("slow-start", host="slow-start.test", slow_start="1h"))
    balancer.until_up("slow-start", 1)
    assert int(column(balancer, "slow-start", "slowly", "weight")) < 100
    assert balancer.service("slow-start")["endpoints"][0]["weight"] == 100


def test_a_balance_by_header_binds_a_user_to_an_endpoint(balancer: Secure, engine: Engine) -> None:
    said = labels("hashed", host="hashed.test", balance="hdr(X-User)")
    for _ in range(2):
        engine.run(labels=said)
    balancer.until_up("hashed", 2)
    by = {
        user: {balancer.request("hashed.test", headers={"X-User": str(user)}).who for _ in range(3)}
        for user in range(12)
    }
    assert {len(names) for names in by.values()} == {1}
    assert len(set().union(*by.values())) == 2


def test_an_http_check_decides_who_serves(balancer: Secure, engine: Engine) -> None:
    said = labels("well", host="well.test", check="/health", check_interval="300ms", check_fall=1)
    sick, well = engine.run(labels=said), engine.run(labels=said)
    assert balancer.serves("well.test", 2) == {sick.short, well.short}
    sick.get("/fail?on")
    balancer.until_up("well", 1)
    assert answers(balancer, "well.test", 6) == {well.short: 6}
    (reason,) = until(lambda: [r for r in reasons(balancer, "well", "down") if "503" in r], what="the status is told")
    assert "check fails" in reason
    sick.get("/fail?off")
    assert balancer.serves("well.test", 2) == {sick.short, well.short}


def test_nothing_gets_traffic_before_its_first_check_succeeds(balancer: Secure, engine: Engine) -> None:
    """By status, by expected text, by connecting; `none` takes it as it is. Each says what it waits for."""
    said = {
        **labels_of("status-ok", port=8000, host="status-ok.test", check="/status?404", check_status="404"),
        **labels_of("status-bad", port=8000, host="status-bad.test", check="/status?500"),
        **labels_of("text-ok", port=8000, host="text-ok.test", check="/", check_expect="path=/"),
        **labels_of("text-bad", port=8000, host="text-bad.test", check="/", check_expect="nonsense"),
        **labels_of("host-ok", port=8000, host="host-ok.test", check="/headers", check_host="h.test",
                    check_expect="Host: h.test"),
        **labels_of("closed", port=9999, host="closed.test"),
        **labels_of("unchecked", port=9999, host="unchecked.test", check="none"),
    }  # fmt: skip
    engine.run("many", labels=said)
    for name in ("status-ok", "text-ok", "host-ok", "unchecked"):
        balancer.until_up(name, 1)
    for name in ("status-ok", "text-ok", "host-ok"):
        assert balancer.request(f"{name}.test").status == 200
    for name, why in (("status-bad", "500"), ("text-bad", "nonsense"), ("closed", "refused")):
        until(lambda: why in balancer.service(name)["endpoints"][0]["reason"], what=f"{name} says {why}")  # noqa: B023
        assert balancer.service(name)["endpoints"][0]["state"] == "checking"
        assert balancer.request(f"{name}.test").status == 503
    assert balancer.request("unchecked.test").status == 503
    assert int(column(balancer, "unchecked", "many", "econ")) > 0
