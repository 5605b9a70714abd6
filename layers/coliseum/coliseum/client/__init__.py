"""The public Python client. `follow` reads a stream; `Arena` takes part in the arena. Both need only httpx."""

from coliseum.client.arena import Arena, ArenaRefused, ForecastReceipt, OpenQuestion
from coliseum.client.stream import Follower, Parser, StreamEvent, StreamRefused, follow, follow_async

__all__ = [
    "Arena",
    "ArenaRefused",
    "Follower",
    "ForecastReceipt",
    "OpenQuestion",
    "Parser",
    "StreamEvent",
    "StreamRefused",
    "follow",
    "follow_async",
]
