"""The stream function: the log as server-sent events. An ASGI app whose responses last as long as their clients.

On Lambda `coliseum_streaming` runs it; in a container any ASGI server does: `uvicorn app:app`.
"""

from __future__ import annotations

from coliseum import config
from coliseum.aws import load_secrets
from coliseum.streaming.app import create_app

load_secrets()
app = create_app(config.settings)
handler = app
