"""The database's doorbell for scripts and health checks: does it answer?"""

from __future__ import annotations

from coliseum import config
from coliseum.errors import ConfigurationError, SourceError
from coliseum.store.client import Store

_PATIENCE_SECONDS = 2.0
"""For an answer to a ping, which is asked for twice."""


def check_db_connection() -> bool:
    """Whether the configured database answers and holds our migrations. False where none is configured."""
    try:
        store = Store.from_settings(config.settings, timeout_seconds=_PATIENCE_SECONDS)
    except ConfigurationError:
        return False
    try:
        store.ping()
    except SourceError:
        return False
    finally:
        store.close()
    return True
