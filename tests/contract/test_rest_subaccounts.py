"""Subaccounts over REST: what the key, the setting and the fills say about whose money is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from functions.portfolio.app import build
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.unit.kalshi import payloads
from tests.unit.kalshi.keys import ed25519_key, pkcs8
from tests.unit.kalshi.stage import Asked, Reply, Stage, reply

BASE = "/trade-api/v2"
FORBIDDEN = reply({"error": {"code": "forbidden", "message": "forbidden"}}, 403)


@contextmanager
def _portfolio(*numbers: int, locked_to: int | None = None, **settings: Any) -> Iterator[tuple[TestClient, Stage]]:
    """The portfolio of an account that traded in these subaccounts."""

    def script(asked: Asked) -> Reply:
        wanted = dict(asked.query).get("subaccount")
        path = asked.path.removeprefix(BASE)
        if locked_to is not None and wanted not in {None, str(locked_to)}:
            return FORBIDDEN
        if path == "/portfolio/fills":
            rows = [
                payloads.fill_number(place) | {"subaccount_number": number}
                for place, number in enumerate(numbers)
                if wanted in {None, str(number)}
            ]
            return reply(payloads.fills(*reversed(rows)))
        return reply(payloads.BODIES.get(path, {}), 200 if path in payloads.BODIES else 404)

    key: dict[str, Any] = {"kalshi_api_key": SecretStr("key-id"), "kalshi_private_key": SecretStr(pkcs8(ed25519_key()))}
    with Stage(script).open() as stage:
        with client_of(build(settings_of(kalshi_api_base=stage.url + BASE, **key, **settings))) as client:
            yield client, stage


def _warnings(client: TestClient) -> list[str]:
    answer = client.get(f"{API}/portfolio/summary")
    check("/portfolio/summary", answer.status_code, answer.json())
    warnings: list[str] = answer.json()["warnings"]
    return warnings


def _sent(stage: Stage) -> set[str | None]:
    return {dict(asked.query).get("subaccount") for asked in stage.asked if "/portfolio/" in asked.path}


def test_by_default_no_number_is_sent_and_nothing_is_warned_of() -> None:
    with _portfolio(0, 0) as (client, stage):
        assert _warnings(client) == []
        assert _sent(stage) == {None}


def test_the_setting_is_sent_with_every_call_of_the_account() -> None:
    with _portfolio(3, 3, locked_to=3, kalshi_subaccount=3) as (client, stage):
        assert _warnings(client) == []
        assert _sent(stage) - {None} == {"3"}
        member = {"/portfolio/deposits", "/portfolio/withdrawals"}  # of the member, not of a subaccount
        unnumbered = {asked.path.removeprefix(BASE) for asked in stage.asked if not dict(asked.query).get("subaccount")}
        assert {path for path in unnumbered if path.startswith("/portfolio/")} <= member


def test_a_key_of_a_subaccount_works_without_the_setting() -> None:
    with _portfolio(3, 3, locked_to=3) as (client, _):
        assert client.get(f"{API}/portfolio/balance").status_code == 200
        assert client.get(f"{API}/portfolio/fills").json()["count"] == 2
        assert _warnings(client) == []


@pytest.mark.parametrize("others", [(2,), (2, 5)])
def test_fills_of_other_subaccounts_are_left_out_and_named(others: tuple[int, ...]) -> None:
    with _portfolio(0, *others, 0) as (client, _):
        assert client.get(f"{API}/portfolio/fills").json()["count"] == 2
        names = ", ".join(map(str, others))
        assert [warning.split("; ")[0] for warning in _warnings(client)] == [
            f"subaccounts_left_out: the account also traded in subaccount {names}, which is left out"
        ]
