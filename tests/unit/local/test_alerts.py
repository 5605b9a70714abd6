from __future__ import annotations

from pathlib import Path

import pytest
from tests.fixtures.alert_services import http_service

from coliseum.config import Settings
from coliseum_local.alerts import send_test, show_limits


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_each_address_is_tried_and_named_by_its_position(tmp_path: Path) -> None:
    lines: list[str] = []
    with http_service() as (good, port), http_service() as (bad, other):
        bad.fault = "500"
        addresses = f"json://user:hunter2@127.0.0.1:{other}/ json://user:hunter2@127.0.0.1:{port}/"
        (tmp_path / ".env").write_text(f'ALERT_URLS="{addresses}"\n')
        assert send_test(tmp_path, show=lines.append) == 1
    assert [line.partition(" (")[0] for line in lines] == ["address 1", "address 2"]
    assert lines[0].endswith("failed: FAILURE, HTTP 500")
    assert lines[1].endswith("sent")
    assert "hunter2" not in str(lines)
    assert good.ids()[0].startswith("test:bot:")


@pytest.mark.parametrize("value", ["", "ALERT_URLS=hunter2-without-a-scheme\n"])
def test_without_addresses_or_with_a_wrong_one_nothing_is_sent(
    tmp_path: Path, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text(value)
    assert send_test(tmp_path) == 1
    said = capsys.readouterr().err
    assert "ALERT_URLS" in said
    assert "hunter2" not in said


def test_every_rule_is_shown_with_its_present_limit(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / ".env").write_text("ALERT_RULES=bot_idle_hours=6,drawdown_percent=off\n")
    assert show_limits(tmp_path, show=lines.append) == 0
    shown = dict(line.split("  ")[0].split("=") for line in lines)
    assert (shown["bot_idle_hours"], shown["drawdown_percent"], shown["day_loss_percent"]) == ("6", "off", "5")
