"""The public Python client. `follow` reads a stream; `Arena` takes part in the arena. Both need only httpx."""

from coliseum.client.arena import Arena, ArenaRefused, OpenQuestion, ForecastReceipt
from coliseum.client.stream import Follower, Parser, StreamEvent, StreamRefused, follow, follow_async

__all__ = [
    "Arena",
    "ArenaRefused",
    "Follower",
    "Parser",
    "OpenQuestion",
    "ForecastReceipt",
    "StreamEvent",
    "StreamRefused",
    "follow",
    "follow_async",
]
