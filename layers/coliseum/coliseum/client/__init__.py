"""The public Python client: `follow` reads a stream, `Arena` takes part in the arena, `Reporter` reports a bot.

The first two need only httpx, the last one needs nothing.
"""

from coliseum.client.arena import Arena, ArenaRefused, ForecastReceipt, OpenQuestion
from coliseum.client.reporting import Reporter
from coliseum.client.stream import Follower, Parser, StreamEvent, StreamRefused, follow, follow_async

__all__ = [
    "Arena",
    "ArenaRefused",
    "Follower",
    "ForecastReceipt",
    "OpenQuestion",
    "Parser",
    "Reporter",
    "StreamEvent",
    "StreamRefused",
    "follow",
    "follow_async",
]
