"""The variables of the installation in one folder: the environment, `.env`, and what a system that runs there uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from coliseum.config import Settings
from coliseum.errors import ConfigurationError
from coliseum_local.state import StateFolder
from coliseum_local.variables import Variables, merged

_ADDRESSES = {
    "KALSHI_API_KEY": "KALSHI_API_BASE",
    "KALSHI_RSA_KEY_PATH": "KALSHI_API_BASE",
    "KALSHI_PRIVATE_KEY": "KALSHI_API_BASE",
    "SUPABASE_SERVICE_ROLE_KEY": "SUPABASE_URL",
    "UPSTASH_REDIS_REST_TOKEN": "UPSTASH_REDIS_REST_URL",
}
"""The setting that says for which server a key is."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is set, and what runs."""

    dotenv: Mapping[str, str | None]
    """What `.env` holds."""
    variables: Variables
    """The environment over `.env`."""
    running: Mapping[str, str] | None
    """How to reach the servers of the system that runs from this folder; None where none runs."""

    @property
    def setting_values(self) -> dict[str, str | None]:
        """Values for `coliseum.config.load`, by field name. What the running system uses comes first."""
        running = self.running or {}
        variables = {**self.variables, **running}
        values: dict[str, str | None] = {
            name: variables[name.upper()] for name in Settings.model_fields if variables.get(name.upper())
        }
        if "KALSHI_RSA_KEY_PATH" in running:
            values["kalshi_private_key"] = None  # the sandbox's key replaces the user's own
        return values

    @property
    def not_in_use(self) -> tuple[str, ...]:
        """Settings that were changed since the running system was started with others.

        A key without an address of its own is not one of them: it is for another server than the embedded one.
        """
        return tuple(
            sorted(
                name
                for name, value in (self.running or {}).items()
                if name.lower() in Settings.model_fields
                and self.variables.get(name) not in {None, "", value}
                and self.variables.get(_ADDRESSES.get(name, name))
            )
        )


def read_installation(root: Path, environment: Mapping[str, str] | None = None) -> Installation:
    """The installation whose `.env` is in `root`; `environment` is the process's by default.

    Raises ConfigurationError where `.env` is not UTF-8 text.
    """
    dotenv = read_dotenv(root)
    variables = merged(os.environ if environment is None else environment, dotenv, folder=str(root))
    return Installation(dotenv, variables, state_folder(root, variables).published())


def read_dotenv(root: Path) -> dict[str, str | None]:
    """The variables in `.env`; none where there is no such file. Raises ConfigurationError for text of another code."""
    try:
        return dotenv_values(root / ".env")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        problem = f"expected UTF-8 text, got the byte 0x{byte:02x}; save the file as UTF-8"
        raise ConfigurationError(".env", problem) from None


def state_folder(root: Path, variables: Mapping[str, str]) -> StateFolder:
    """The state folder of a system that is started in `root` with these variables."""
    return StateFolder(Path(variables.get("COLISEUM_STATE_DIR") or root / ".coliseum"))
