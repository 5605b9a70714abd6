"""`coliseum doctor`: checks a whole installation, and says of each part what was found and what to do.

It reads the settings as the functions do. Where `make run` runs from this folder, it checks that system. It writes
nothing but one Redis key that it removes. The exit code is 1 where a part failed, else 0.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import httpx
from pydantic import SecretStr

from coliseum.arena.sources.catalogue import configured_feeds
from coliseum.arena.sources.records import SourceRecords
from coliseum.bot.client import Bot
from coliseum.bot.findings import Severity
from coliseum.config import Settings, load
from coliseum.errors import ColiseumError, ConfigurationError, SourceRefused
from coliseum.feed.entries import START
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.kalshi.headers import clock_ahead_seconds
from coliseum.llm.client import check_base_url
from coliseum.store.client import Store
from coliseum.upstash.client import Redis
from coliseum_local.check_bot import look
from coliseum_local.installation import read_installation
from coliseum_local.postgres.migrations import MIGRATIONS, migrations_in
from coliseum_local.run import ROOT
from coliseum_local.variables import misspelt

CHECK_SECONDS = 15.0
"""How long one check may take; all run at the same time."""
CALL_SECONDS = 5.0
CLOCK_GOOD_SECONDS, CLOCK_USABLE_SECONDS = 5.0, 10.0
"""The exchange refuses signatures that are more than about ten seconds old or ahead."""
_SCRIPT = "return redis.call('GET', KEYS[1])"


class Status(StrEnum):
    """`failed`: something does not work. `not set`: an optional part that is not used."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_SET = "not set"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one check found, and what to do about it."""

    status: Status
    found: str
    advice: str = ""


Check = Callable[[Settings], Diagnosis]


def doctor(
    root: Path = ROOT,
    *,
    environment: Mapping[str, str] = os.environ,
    show: Callable[[str], None] = print,
    seconds: float = CHECK_SECONDS,
) -> int:
    """Check the installation whose settings the environment and `.env` in `root` hold. Returns the exit code."""
    try:
        installation = read_installation(root, environment)
        settings = load(installation.setting_values)
    except ConfigurationError as error:
        show(f"{Status.FAILED.value:8} settings: {error}. Correct it: .env.example explains each setting")
        return 1
    wrong_names = misspelt(installation.dotenv, frozenset(name.upper() for name in Settings.model_fields))
    texts = [f"{name} is no setting, {meant} is" for name, meant in wrong_names.items()]
    if installation.not_in_use:
        names = ", ".join(installation.not_in_use)
        texts.append(f"The running system was started with other values of {names}, and those are checked: restart it")
    advice = "; ".join(texts)
    about = f"{settings.environment}, {settings.identity.label}"
    first = Diagnosis(Status.WARNING if advice else Status.OK, about, advice)
    failed = False
    for name, diagnosis in (("settings", first), *examine(settings, seconds=seconds)):
        show(_line(name, diagnosis, settings))
        failed = failed or diagnosis.status is Status.FAILED
    show("Something failed." if failed else "Nothing failed.")
    return 1 if failed else 0


def examine(
    settings: Settings, *, checks: Mapping[str, Check] | None = None, seconds: float = CHECK_SECONDS
) -> Iterator[tuple[str, Diagnosis]]:
    """Run all checks at the same time, and yield them in their order. One that does not end in time has failed."""
    answers: dict[str, queue.Queue[Diagnosis]] = {}
    for name, check in (CHECKS if checks is None else checks).items():
        answers[name] = queue.Queue(1)
        # Daemon threads: a call that never ends must not keep the process.
        threading.Thread(target=_run, args=(check, settings, answers[name]), daemon=True).start()
    for name, answer in answers.items():
        try:
            yield name, answer.get(timeout=seconds)
        except queue.Empty:
            yield name, Diagnosis(Status.FAILED, f"no result within {seconds:g} s", "Check the address and the network")


def _run(check: Check, settings: Settings, answer: queue.Queue[Diagnosis]) -> None:
    try:
        answer.put(check(settings))
    except ConfigurationError as error:
        answer.put(Diagnosis(Status.FAILED, str(error), "Correct the setting"))
    except ColiseumError as error:
        answer.put(Diagnosis(Status.FAILED, str(error), "Check the address, the network and the key"))
    except Exception as error:  # noqa: BLE001  # one check that fails in a new way must not hide the others
        answer.put(Diagnosis(Status.FAILED, f"the check itself failed: {type(error).__name__}", "Report it"))


def _line(name: str, diagnosis: Diagnosis, settings: Settings) -> str:
    text = f"{name}: {diagnosis.found}" + (f". {diagnosis.advice}" if diagnosis.advice else "")
    for field in Settings.model_fields:
        secret = getattr(settings, field)
        if isinstance(secret, SecretStr) and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "***")  # no part echoes one; this is the second lock
    return f"{diagnosis.status.value:8} {text}"


def _exchange(settings: Settings) -> Diagnosis:
    place = f"{settings.exchange_name} at {settings.identity.exchange.host}"
    with closing(Kalshi.from_settings(settings)) as kalshi:
        status = kalshi.for_seconds(CALL_SECONDS).exchange_status()
    if not status.exchange_active:
        return Diagnosis(Status.WARNING, f"{place} answers, and is closed", "Wait until it opens again")
    trading = "trading is open" if status.trading_active else "trading pauses"
    if settings.exchange_name == "other":
        return Diagnosis(Status.WARNING, f"{place}: {trading}", "KALSHI_API_BASE names no known exchange: is it right?")
    return Diagnosis(Status.OK, f"{place}: {trading}")


def _account(settings: Settings) -> Diagnosis:
    if settings.kalshi_api_key is None:
        return Diagnosis(Status.NOT_SET, "no KALSHI_API_KEY", "Without it there is no portfolio, only market data")
    advice = "Use the id and the private key of one API key of this exchange, with the scope read"
    try:
        with closing(Kalshi.from_settings(settings)) as kalshi:
            kalshi.for_seconds(CALL_SECONDS).fills(limit=1)
    except SourceRefused as error:
        if error.status not in {401, 403}:
            text = "KALSHI_API_BASE names no Kalshi API: its addresses end in /trade-api/v2"
            return Diagnosis(Status.FAILED, f"a signed call was refused: {error.problem}", text)
        return Diagnosis(Status.FAILED, f"the exchange refuses the key: {error.problem}", advice)
    return Diagnosis(Status.OK, f"a signed call was accepted; the account is {settings.account_label}")


def _clock(settings: Settings) -> Diagnosis:
    try:
        answer = httpx.get(f"{settings.kalshi_api_base}/exchange/status", timeout=CALL_SECONDS)
    except httpx.HTTPError as error:
        return Diagnosis(Status.WARNING, f"not compared: {type(error).__name__}", "The exchange must answer first")
    ahead = clock_ahead_seconds(answer.headers.get("date"), now=datetime.now(UTC))
    if ahead is None:
        return Diagnosis(Status.WARNING, "not compared: the exchange's answer has no usable Date header")
    found = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the exchange's"
    if abs(ahead) <= CLOCK_GOOD_SECONDS:
        return Diagnosis(Status.OK, found)
    status = Status.WARNING if abs(ahead) <= CLOCK_USABLE_SECONDS else Status.FAILED
    return Diagnosis(status, found, "Set this machine's clock (NTP): signed calls are refused from about 10 s on")


def _bot(settings: Settings) -> Diagnosis:
    with closing(Bot.from_settings(settings)) as bot:
        findings = look(bot)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    advice = f"Run: coliseum check-bot {settings.bot_trades_endpoint.rpartition('/')[0]}"
    for status, found in ((Status.FAILED, errors), (Status.WARNING, warnings)):
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return Diagnosis(status, f"{found[0].place}: {found[0].text}{more}", advice)
    return Diagnosis(Status.OK, "; ".join(f"{finding.place} {finding.text}" for finding in findings))


def _redis(settings: Settings) -> Diagnosis:
    if settings.upstash_redis_rest_url is None or settings.upstash_redis_rest_token is None:
        advice = "Set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or start `make run`"
        return Diagnosis(Status.FAILED, "no address or no token", advice)
    key = f"{settings.redis_key_prefix}doctor:{uuid4().hex}"
    with closing(Redis.from_settings(settings)) as redis:
        redis.command("SET", key, "1", "PX", 60_000)
        read = redis.script(_SCRIPT, [key], [])
        redis.command("DEL", key)
        if read != "1":
            return Diagnosis(
                Status.FAILED, f"wrote '1' and read {str(read)[:40]!r}", "Is it a replica? Use the primary"
            )
        feed = Feed.from_settings(settings, redis)
        head = feed.read(START, count=1).reading.head
        owner = redis.command("HGET", f"{settings.redis_key_prefix}feed:meta", "owner")
    found = f"reads, writes and runs scripts under {settings.redis_key_prefix!r}; the log holds {head.seq} entries"
    if feed.keys.prefix == settings.redis_key_prefix:
        return Diagnosis(Status.OK, found)
    advice = "Is that the same account with a replaced key? Then set KALSHI_ACCOUNT_NAME (docs/operations.md)"
    return Diagnosis(Status.OK, f"{found}, apart from the log of {owner}", advice)


def _postgres(settings: Settings) -> Diagnosis:
    if settings.supabase_url is None or settings.supabase_service_role_key is None:
        advice = "Set SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY, or start `make run`"
        return Diagnosis(Status.FAILED, "no address or no key", advice)
    wanted = migrations_in(MIGRATIONS)
    advice = "Apply supabase/migrations: supabase db push --db-url <connection string>"
    with closing(Store.from_settings(settings, timeout_seconds=CALL_SECONDS)) as store:
        try:
            store.ping()
            applied = store.rpc("applied_migrations", {})
        except SourceRefused as error:
            if error.status == 404:
                return Diagnosis(Status.FAILED, "the newest migrations are missing, or all of them", advice)
            return Diagnosis(Status.FAILED, str(error), "Check SUPABASE_SERVICE_ROLE_KEY")
    if not isinstance(applied, list):
        return Diagnosis(Status.WARNING, "answers; which migrations it has is not recorded", advice)
    missing = [f"{one.version}_{one.name}" for one in wanted if one.version not in applied]
    if missing:
        return Diagnosis(Status.FAILED, f"{len(missing)} migrations are missing: {', '.join(missing)}", advice)
    newer = sorted(set(map(str, applied)) - {one.version for one in wanted})
    if newer:
        text = f"it has migrations that this version does not know: {', '.join(newer)}"
        return Diagnosis(Status.WARNING, text, "Is this an older version of Coliseum?")
    return Diagnosis(Status.OK, f"all {len(wanted)} migrations are applied")


def _models(settings: Settings) -> Diagnosis:
    if settings.openrouter_api_key is None:
        return Diagnosis(Status.NOT_SET, "no OPENROUTER_API_KEY", "Without it only rules take part in the arena")
    check_base_url(settings)
    headers = {"authorization": f"Bearer {settings.openrouter_api_key.get_secret_value()}"}
    try:
        answer = httpx.get(f"{settings.openrouter_base_url}/key", headers=headers, timeout=CALL_SECONDS)
    except httpx.HTTPError as error:
        text = f"OpenRouter does not answer: {type(error).__name__}"
        return Diagnosis(Status.FAILED, text, "Check OPENROUTER_BASE_URL and the network")
    if answer.status_code in {401, 403}:
        return Diagnosis(Status.FAILED, "OpenRouter refuses the key", "Make a new key, and set OPENROUTER_API_KEY")
    if not answer.is_success:
        return Diagnosis(Status.WARNING, f"OpenRouter answers {answer.status_code}", "Try again later")
    try:
        data = answer.json()["data"]
        limit, left = data.get("limit"), data.get("limit_remaining")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Diagnosis(Status.WARNING, "the answer of /key has an unknown form", "Check OPENROUTER_BASE_URL")
    if limit is None:
        return Diagnosis(Status.WARNING, "the key is valid and has no spending limit", "Set a limit on the key")
    if isinstance(left, int | float) and left <= 0:
        return Diagnosis(Status.FAILED, "the key is valid, and its limit is spent", "Raise the key's limit")
    return Diagnosis(Status.OK, f"the key is valid; {left} of {limit} dollars are left")


def _sources(settings: Settings) -> Diagnosis:
    feeds = configured_feeds(settings.arena_sources)
    if not feeds:
        return Diagnosis(Status.NOT_SET, "ARENA_SOURCES is off", "Without feeds informed models are shown no news")
    if settings.supabase_url is None or settings.supabase_service_role_key is None:
        return Diagnosis(Status.OK, f"{len(feeds)} feeds are listed")
    with closing(Store.from_settings(settings, timeout_seconds=CALL_SECONDS)) as store:
        noted = [feed for feed in SourceRecords(store).noted_feeds() if feed.origin == "list"]
    failing = [feed.name for feed in noted if feed.status in {"failed", "refused"}]
    if failing:
        text = f"{len(failing)} of {len(feeds)} feeds could not be read: {', '.join(failing[:10])}"
        return Diagnosis(Status.WARNING, text, "GET /api/python/arena/sources has the reasons")
    read = sum(feed.status in {"read", "unchanged"} for feed in noted)
    return Diagnosis(Status.OK, f"{len(feeds)} feeds are listed, {read} of them were read")


def _streams(settings: Settings) -> Diagnosis:
    settings.require_stream_secrets()
    if settings.stream_auth == "ticket":
        return Diagnosis(Status.OK, "need tickets; both secrets are set")
    advice = "Set STREAM_AUTH=ticket to make them private" if settings.environment == "production" else ""
    return Diagnosis(Status.OK, "open to everybody (STREAM_AUTH=none)", advice)


def _admin(settings: Settings) -> Diagnosis:
    if settings.admin_token is None:
        return Diagnosis(Status.NOT_SET, "no ADMIN_TOKEN", "Without it the operator's routes do not exist")
    return Diagnosis(Status.OK, "ADMIN_TOKEN is set")


CHECKS: Mapping[str, Check] = {
    "exchange": _exchange,
    "account": _account,
    "clock": _clock,
    "bot": _bot,
    "redis": _redis,
    "postgres": _postgres,
    "models": _models,
    "sources": _sources,
    "streams": _streams,
    "admin": _admin,
}
"""What is checked, in the order of the output."""
