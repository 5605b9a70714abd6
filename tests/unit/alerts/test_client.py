"""Apprise as it really is, against fakes on loopback: every fault is a failure, and nothing shows a secret."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from apprise.plugins.email import NotifyEmail
from apprise.plugins.telegram import NotifyTelegram
from tests.fixtures.alert_services import TakenMessages, http_service, smtp_service

from coliseum.alert_settings import AlertService, parse_services
from coliseum.alerts.client import AlertSender, apprise_asset
from coliseum.alerts.texts import WrittenMessage

MESSAGE = WrittenMessage("Coliseum: Test", "It works.\nid test:one:1 (noted)")
TOKEN = "123456789:abcdefghijklmnopqrstuvwxyz-ABCDEFGH"


@pytest.fixture(params=["json", "tgram", "mailto"])
def place(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TakenMessages, AlertService]]:
    """A service and its fake."""
    with (smtp_service if request.param == "mailto" else http_service)() as (taken, port):
        monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{port}/bot")
        monkeypatch.setattr(NotifyEmail, "request_rate_per_sec", 0)  # else it sleeps between two mails
        url = {
            "json": f"json://user:hunter2@127.0.0.1:{port}/?rto=1&cto=1",
            "tgram": f"tgram://{TOKEN}/42/?rto=1&cto=1",
            "mailto": f"mailto://127.0.0.1:{port}/?from=a@example.com&to=b@example.com&rto=1&cto=1",
        }[request.param]
        yield taken, parse_services(url)[0]


@pytest.fixture(autouse=True)
def _hostile_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that would take every request, and loggers that say all they can."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.setenv("no_proxy", "example.com")
    apprise_asset.cache_clear()


def test_a_message_arrives_with_its_id(place: tuple[TakenMessages, AlertService]) -> None:
    taken, service = place
    assert AlertSender().send(service, MESSAGE, seconds=20) is None
    assert taken.ids() == ["test:one:1 (noted)"]


@pytest.mark.parametrize("fault", ["down", "429", "302", "dropped", "500"])
def test_every_fault_is_a_failure_and_the_next_message_arrives(
    place: tuple[TakenMessages, AlertService], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken, service = place
    sender = AlertSender()
    if (service.name.partition("-")[0], fault) == ("mailto", "302"):
        pytest.skip("SMTP knows no redirect")
    caplog.set_level(logging.DEBUG)
    taken.fault = fault
    problem = sender.send(service, MESSAGE, seconds=20)
    assert problem is not None
    assert taken.texts == []
    assert not [secret for secret in ("hunter2", TOKEN, service.url) if secret in caplog.text + problem]
    taken.fault = ""
    assert sender.send(service, MESSAGE, seconds=20) is None


def test_the_status_of_an_answer_is_named() -> None:
    with http_service() as (taken, port):
        taken.fault = "429"
        (service,) = parse_services(f"json://127.0.0.1:{port}/")
        assert AlertSender().send(service, MESSAGE, seconds=20) == "FAILURE, HTTP 429"


def test_a_service_that_says_nothing_ends_in_time() -> None:
    with http_service() as (taken, port):
        taken.fault = "slow"
        (service,) = parse_services(f"json://127.0.0.1:{port}/?rto=1&cto=1")
        assert AlertSender().send(service, MESSAGE, seconds=1) in {"FAILURE", "TIMEOUT"}


def test_an_address_that_apprise_does_not_know_is_a_problem_and_not_an_error() -> None:
    (service,) = parse_services("nosuchservice://hunter2/")
    assert AlertSender().send(service, MESSAGE, seconds=1) == "Apprise does not accept the address"
    assert not AlertSender().accepts(service)


def test_apprise_is_not_imported_before_the_first_message() -> None:
    code = "import sys, coliseum.alerts.watch; from coliseum.alerts.client import AlertSender; AlertSender(); "
    code += "print('apprise' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
