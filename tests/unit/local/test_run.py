"""`make run` refuses what cannot work in one sentence, before it starts a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from coliseum.config import Settings
from coliseum_local.run import run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder without settings, from which the system would be started."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("COLISEUM_STATE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env.example").touch()
    return tmp_path


def refusal(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(root) == 1
    return capsys.readouterr().err


def test_streams_by_ticket_without_their_secrets_are_refused_by_name(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ".env").write_text("STREAM_AUTH=ticket\n")
    assert refusal(root, capsys).startswith("Coliseum does not start: ADMIN_TOKEN: expected a value")
    assert not (root / ".coliseum").exists()


@pytest.mark.parametrize("content", ["ADMIN_TOKEN=é".encode("latin-1"), "ADMIN_TOKEN=a".encode("utf-16")])
def test_a_file_of_settings_that_is_not_utf_8_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (root / ".env").write_bytes(content)
    assert refusal(root, capsys).startswith("Coliseum does not start: .env: expected UTF-8 text")


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_state_folder_that_cannot_be_made_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (root / "file").touch()
    monkeypatch.setenv("COLISEUM_STATE_DIR", folder)
    message = refusal(root, capsys)
    assert message.startswith(f"Coliseum does not start: the state folder {root / folder} cannot be made")
    assert "COLISEUM_STATE_DIR" in message


def test_a_port_of_other_digits_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLISEUM_PORT", "²")
    assert refusal(root, capsys).startswith("Coliseum does not start: COLISEUM_PORT: got '²', expected a port")
