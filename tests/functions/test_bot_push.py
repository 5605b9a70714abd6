"""The push function as Lambda calls it: signed requests, the real log, and a bot over HTTP."""

from __future__ import annotations

import base64
import json
import logging
import re
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from functions.bot_push import app
from standardwebhooks.webhooks import Webhook
from tests.fixtures.redis import RedisServer
from tests.fixtures.scripted_bot import ScriptedBot, row, serving

from coliseum import config
from coliseum.bot.client import Bot
from coliseum.feed.entries import START, EntryKind
from coliseum.feed.feed import Feed
from coliseum.polling.poller import Poller
from coliseum.polling.push_endpoint import MAX_BODY_BYTES
from coliseum.upstash.client import Redis

OLD, SECRET = "whsec_" + "A" * 32, "whsec_" + "B" * 32
SAMPLE = json.loads((Path(__file__).resolve().parents[2] / "events" / "bot_push.http-unsigned.json").read_text())
AT = 1_795_000_000.0
Answer = dict[str, Any]


def request(
    body: object,
    *,
    path: str = "/api/python/bot/trades",
    secret: str = SECRET,
    webhook_id: str = "msg_1",
    age: timedelta = timedelta(),
    is_base64: bool = False,
    **headers: str,
) -> dict[str, Any]:
    """A signed request as an HTTP API hands it on. `headers` replace those of the signature, `_` standing for `-`."""
    text = body if isinstance(body, str) else json.dumps(body)
    at = datetime.now(UTC) - age
    signed = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, text),
        "content-type": "application/json",
    }
    return {
        **SAMPLE,
        "rawPath": path,
        "headers": {**signed, **{name.replace("_", "-"): value for name, value in headers.items()}},
        "body": base64.b64encode(text.encode()).decode() if is_base64 else text,
        "isBase64Encoded": is_base64,
    }


class System:
    """The function in a container of its own, beside a poller of the same log."""

    def __init__(self, bot: ScriptedBot, redis: Redis) -> None:
        self.bot = bot
        self.feed = Feed.from_settings(config.settings, redis)
        self.poller = Poller(bot=Bot.from_settings(config.settings), feed=self.feed, exchange=None, interval=3.0)

    def push(self, *args: Any, **kwargs: Any) -> tuple[int, Answer]:
        return self.send(request(*args, **kwargs))

    def send(self, event: dict[str, Any]) -> tuple[int, Answer]:
        answer = app.handler(event, None)  # type: ignore[arg-type]  # it has no use for a context
        return answer["statusCode"], json.loads(answer["body"])

    def trades(self) -> Answer:
        """What the bot lists, as it would push it."""
        return {"trades": self.bot.rows, "started_at": self.bot.started_at, "trade_count": self.bot.count}

    def log(self, kind: EntryKind = EntryKind.TRADE) -> list[dict[str, Any]]:
        return [entry.data for entry in self.feed.read(START).reading.entries if entry.kind is kind]


@pytest.fixture
def bot() -> Iterator[ScriptedBot]:
    with serving(ScriptedBot()) as scripted:
        yield scripted


@pytest.fixture
def configure(
    bot: ScriptedBot, redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Set the settings; the next call builds a container."""

    def set_up(**more: Any) -> None:
        values = {
            "upstash_redis_rest_url": redis_server.url,
            "upstash_redis_rest_token": redis_server.token,
            "redis_key_prefix": prefix,
            "bot_status_endpoint": bot.status_url,
            "bot_trades_endpoint": bot.trades_url,
            "bot_webhook_secret": f"{OLD},{SECRET}",
        }
        monkeypatch.setattr(config, "settings", config.load(values | more), raising=False)
        app.endpoint.cache_clear()

    yield set_up
    app.clients.close()
    app.endpoint.cache_clear()


@pytest.fixture
def system(bot: ScriptedBot, configure: Callable[..., None], redis: Redis) -> System:
    """A system whose bot has been polled once, with one trade."""
    configure()
    bot.trade(row("a", at=AT))
    system = System(bot, redis)
    system.poller.tick()
    return system


def test_a_pushed_trade_is_in_the_log_before_the_next_poll(system: System) -> None:
    system.bot.trade(row("b", at=AT + 1), row("c", at=AT + 1))
    assert system.push(system.trades()) == (200, {"published": 2})
    assert [one["trade_id"] for one in system.log()] == ["a", "b", "c"]
    assert {one["strategy"] for one in system.log()} == {"scripted"}  # from the bot's status, as a poll finds it
    system.poller.tick()
    assert [one["trade_id"] for one in system.log()] == ["a", "b", "c"]
    assert system.log(EntryKind.SOURCE_GAP) == []


def test_a_list_without_an_envelope_is_as_good(system: System) -> None:
    system.bot.trade(row("b", at=AT + 1))
    assert system.push(system.bot.rows, secret=OLD, is_base64=True) == (200, {"published": 1})


def test_before_the_first_poll_a_push_waits(system: System, configure: Callable[..., None], prefix: str) -> None:
    configure(redis_key_prefix=f"{prefix}other:")
    status, answer = system.push(system.trades())
    assert (status, answer["published"]) == (202, 0)
    assert answer["waits_for_poll"] == "the bot has not been polled yet"


def test_what_waited_is_published_once_it_was_polled(system: System) -> None:
    """A 202 is not remembered: the same push may be repeated."""
    system.bot.started_at = "2026-11-21T08:00:00Z"
    assert system.push(system.trades())[0] == 202
    system.bot.trade(row("b", at=AT + 1))
    system.poller.tick()
    system.bot.trade(row("c", at=AT + 2))
    assert system.push(system.trades()) == (200, {"published": 1})


def test_a_repeated_push_gets_its_first_answer_and_costs_nothing(system: System, redis_server: RedisServer) -> None:
    system.bot.trade(row("b", at=AT + 1))
    event = request(system.trades())
    assert system.send(event) == (200, {"published": 1})
    redis_server.reset_meter()
    assert system.send(event) == (200, {"published": 1})
    again = request(system.trades(), age=timedelta(seconds=5))  # a retry has another time
    assert system.send(again) == (200, {"published": 1})
    assert system.push(system.trades(), webhook_id="msg_2") == (200, {"published": 0})
    assert redis_server.billed() == {}
    assert len(system.log()) == 2


def test_another_process_knows_what_was_pushed(system: System) -> None:
    system.bot.trade(row("b", at=AT + 1))
    event = request(system.trades())
    assert system.send(event) == (200, {"published": 1})
    app.endpoint.cache_clear()
    assert system.send(event) == (200, {"published": 0})
    assert len(system.log()) == 2


def test_a_pushed_trade_costs_no_more_commands_than_one_that_is_polled_alone(
    system: System, redis_server: RedisServer
) -> None:
    system.bot.trade(row("b", at=AT + 1))
    redis_server.reset_meter()
    system.poller.tick()
    polled = sum(redis_server.billed().values())
    system.bot.trade(row("c", at=AT + 2))
    system.push(system.trades())  # reads the checkpoint once for the whole container
    system.poller.tick()  # learns that this bot pushes
    system.bot.trade(row("d", at=AT + 3))
    redis_server.reset_meter()
    system.push(system.trades(), webhook_id="msg_2")
    pushed = sum(redis_server.billed().values())
    assert (polled, pushed) == (7, 7)
    redis_server.reset_meter()
    system.poller.tick()  # the pushed trade is new to it, so it reads the checkpoint instead of publishing
    assert redis_server.billed() == {"HMGET": 1}


REFUSED: dict[str, tuple[Callable[[Answer], dict[str, Any]], int, str]] = {
    "not signed": (lambda body: {**request(body), "headers": {}}, 401, "the header webhook-id is missing"),
    "an unknown secret": (lambda body: request(body, secret="whsec_" + "C" * 32), 401, "no signature was made with"),
    "another body": (lambda body: {**request({}), "body": json.dumps(body)}, 401, "no signature was made with"),
    "another id": (lambda body: request(body, webhook_id="m", webhook_id_=""), 401, "no signature was made with"),
    "too old": (lambda body: request(body, age=timedelta(minutes=6)), 401, "timestamp too old"),
    "too new": (lambda body: request(body, age=timedelta(minutes=-6)), 401, "timestamp too new"),
    "odd time": (lambda body: request(body, webhook_timestamp="1e9"), 401, "unix seconds as a whole number"),
    "garbage": (lambda body: request(body, webhook_signature="v1"), 401, "no signature was made with"),
    "too large": (lambda body: request({**body, "more": "x" * MAX_BODY_BYTES}), 413, "at most 65536 bytes"),
    "no JSON": (lambda body: request("trades"), 400, "the JSON of the bot's /trades"),
    "no list": (lambda body: request({"trades": 7}), 400, "an object without a list of trades"),
    "compressed": (lambda body: request(body, content_encoding="gzip"), 400, "an uncompressed body"),
    "no base64": (lambda body: {**request(body), "body": "{", "isBase64Encoded": True}, 400, "base64"),
    "status no object": (lambda body: request([], path="/api/python/bot/status"), 400, "the JSON of the bot's /status"),
    "no such route": (lambda body: request(body, path="/api/python/bot/fills"), 404, "no route named"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_push_says_why_and_costs_no_redis_command(
    system: System, redis_server: RedisServer, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    forge, status, why = REFUSED[case]
    system.bot.trade(row("b", at=AT + 1))
    event = forge(system.trades())
    if case == "another id":
        event["headers"]["webhook-id"] = "stolen"
    redis_server.reset_meter()
    with caplog.at_level(logging.DEBUG):
        answer = app.handler(event, None)  # type: ignore[arg-type]
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["status"]) == (status, status)
    assert why in problem["detail"]
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"]["X-Correlation-Id"] == problem["correlation_id"]
    assert redis_server.billed() == {}
    for shown in (answer["body"], caplog.text):
        assert "A" * 32 not in shown
        assert "B" * 32 not in shown


def test_without_a_secret_the_routes_do_not_exist(
    system: System, configure: Callable[..., None], redis_server: RedisServer
) -> None:
    configure(bot_webhook_secret=None)
    redis_server.reset_meter()
    assert system.push(system.trades())[0] == 404
    assert redis_server.billed() == {}


def test_the_sample_event_is_refused(system: System) -> None:
    assert system.send(SAMPLE)[0] == 401


def test_while_redis_is_away_a_push_may_be_repeated_and_then_counts(system: System, redis_server: RedisServer) -> None:
    system.bot.trade(row("b", at=AT + 1))
    redis_server.faults(refuse_all=True)
    try:
        status, problem = system.push(system.trades())
    finally:
        redis_server.faults()
    assert (status, problem["source"]) == (503, "redis")
    assert system.push(system.trades()) == (200, {"published": 1})


# --- the status ---


def status(mode: str) -> Answer:
    return {"mode": mode, "strategy": "scripted", "positions": [], "last_error": None}


def trading(bot: ScriptedBot, mode: str) -> None:
    bot.answers["/status"] = (200, json.dumps(status(mode)).encode())


PATH = "/api/python/bot/status"


def test_a_mode_that_the_bot_confirms_is_announced_at_once(system: System) -> None:
    trading(system.bot, "live")
    assert system.push(status("live"), path=PATH) == (200, {"published": 1})
    announced = system.log(EntryKind.BOT_STATUS)
    assert [one["mode"] for one in announced] == ["paper", "live"]
    assert [one["status"] for one in announced] == ["online", "online"]
    system.poller.tick()
    assert len(system.log(EntryKind.BOT_STATUS)) == 2


def test_the_same_mode_costs_nothing(system: System, redis_server: RedisServer) -> None:
    system.push(status("paper"), path=PATH)
    redis_server.reset_meter()
    assert system.push(status("paper"), path=PATH, webhook_id="msg_2") == (200, {"published": 0})
    assert redis_server.billed() == {}


def test_an_old_status_does_not_bring_an_old_mode_back(system: System) -> None:
    """It is signed and fresh enough; but the bot says otherwise."""
    old = request(status("live"), path=PATH)
    assert system.send(old) == (200, {"published": 0})
    assert [one["mode"] for one in system.log(EntryKind.BOT_STATUS)] == ["paper"]


def test_a_bot_that_does_not_confirm_its_mode_waits_for_the_poll(system: System) -> None:
    system.bot.answers["/status"] = (500, b"")
    code, answer = system.push(status("live"), path=PATH)
    assert (code, answer["waits_for_poll"]) == (202, "the bot does not answer, so its mode is not confirmed")


def test_a_push_never_makes_a_bot_online(system: System) -> None:
    for path in ("/trades", "/health", "/status"):
        system.bot.answers[path] = (500, b"")
    system.poller.tick()
    system.poller.tick()
    assert [one["status"] for one in system.log(EntryKind.BOT_STATUS)] == ["online", "offline"]
    code, answer = system.push(status("live"), path=PATH)
    assert (code, answer["waits_for_poll"]) == (202, "the bot is not known to be online")


def test_the_function_of_the_guide_signs_as_this_function_reads_it(
    system: System, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(import base64.*?)```", (root / "docs" / "bot.md").read_text(), re.DOTALL)
    sent: list[urllib.request.Request] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> SimpleNamespace:
        del timeout
        sent.append(request)
        headers = {name.lower(): value for name, value in request.header_items()}
        assert isinstance(request.data, bytes)
        event = {**SAMPLE, "rawPath": "/api/python/bot/trades", "headers": headers, "body": request.data.decode()}
        return SimpleNamespace(status=system.send(event)[0])

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - our own guide
    system.bot.trade(row("b", at=AT + 1))
    url = "http://127.0.0.1:8000/api/python/bot/trades"
    assert namespace["push"](url, SECRET, system.trades()) == 200
    assert [one["trade_id"] for one in system.log()] == ["a", "b"]
    assert sent[0].full_url == url
