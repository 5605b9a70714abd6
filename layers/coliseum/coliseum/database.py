"""Whether the database answers, for scripts and health checks."""

from __future__ import annotations

from coliseum import config
from coliseum.errors import ConfigurationError, SourceError
from coliseum.store.client import Store

_TIMEOUT_SECONDS = 2.0
"""Of one ping, which is sent at most twice."""


def check_db_connection() -> bool:
    """Whether the configured database answers and has our migrations. False without a configured database."""
    try:
        store = Store.from_settings(config.settings, timeout_seconds=_TIMEOUT_SECONDS)
    except ConfigurationError:
        return False
    try:
        store.ping()
    except SourceError:
        return False
    finally:
        store.close()
    return True
