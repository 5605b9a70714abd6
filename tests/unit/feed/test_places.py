from __future__ import annotations

import pytest

from coliseum.feed.places import FoundLog, LogPlace
from coliseum.identity import Identity, exchange_at

NOTHING = FoundLog(exists=False, owner=None)
UNMARKED = FoundLog(exists=True, owner=None)
PRODUCTION = exchange_at("https://external-api.kalshi.com/trade-api/v2")


def place(account: str = "production/a", bot: str = "bot") -> LogPlace:
    return LogPlace("python:", Identity(bot=bot, exchange=PRODUCTION, account=account))


def of(owner: str) -> FoundLog:
    return FoundLog(exists=True, owner=owner)


@pytest.mark.parametrize(
    ("first", "own", "keys"),
    [
        (NOTHING, NOTHING, "python:feed"),
        (UNMARKED, NOTHING, "python:feed"),
        (of("production/a/bot"), NOTHING, "python:feed"),
        (of("production/public/bot"), NOTHING, "python:feed"),
        (of("production/public/other"), NOTHING, "python:production/a/bot:feed"),
        (of("demo/public/bot"), NOTHING, "python:production/a/bot:feed"),
        (of("production/b/bot"), NOTHING, "python:production/a/bot:feed"),
        (of("production/b/bot"), of("production/a/bot"), "python:production/a/bot:feed"),
        (NOTHING, of("production/a/bot"), "python:production/a/bot:feed"),
        (UNMARKED, of("production/a/bot"), "python:production/a/bot:feed"),
    ],
)
def test_the_first_identitys_log_lies_under_the_prefix_and_anothers_under_its_own_keys(
    first: FoundLog, own: FoundLog, keys: str
) -> None:
    here = place()
    moved = here.choose(first, own)
    assert (here.keys.stream, moved) == (keys, keys != "python:feed")


def test_two_identities_never_share_keys_of_their_own() -> None:
    keys = {place(account, bot).own.stream for account in ("production/a", "production/a/1") for bot in ("bot", "b2")}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("found", "certain"),
    [(NOTHING, False), (UNMARKED, True), (of("production/a/bot"), True), (of("production/b/bot"), False)],
)
def test_only_the_own_mark_or_none_proves_that_the_log_is_ours(found: FoundLog, certain: bool) -> None:
    assert place().is_certain(found) is certain


def test_without_an_identity_there_is_one_place() -> None:
    anonymous = LogPlace("python:", None)
    assert anonymous.is_certain(of("production/b/bot"))
    assert (anonymous.owner, anonymous.own) == ("", anonymous.first)
