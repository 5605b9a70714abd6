"""Which fence tokens the log may have when this poller publishes. Pure."""

from __future__ import annotations

from coliseum.feed.protocol import Fence

UNANSWERED_MAX = 50
"""Publish calls without an answer that are remembered: any of them may have been the last one executed."""


class FenceHistory:
    """The token of the last confirmed publish call, then those of later calls without an answer.

    Invariant: while no other poller has published, the fence in the log is one of these. A call without an answer may
    or may not have been executed, and only the log knows.
    """

    def __init__(self) -> None:
        self._tokens: tuple[str, ...] = ("",)  # an empty log has an empty fence

    def __contains__(self, token: object) -> bool:
        return token in self._tokens

    def start_from(self, token: str) -> None:
        """Begin with the fence that stands in the log."""
        self._tokens = (token,)

    def next_fence(self, token: str) -> Fence:
        """The fence of a publish call with a new `token`, which counts as unanswered until `confirm`."""
        fence = Fence(self._tokens, token)
        self._tokens = (*self._tokens[-UNANSWERED_MAX:], token)
        return fence

    def confirm(self, fence: Fence) -> None:
        """The call with this fence was answered, so its token stands in the log."""
        self._tokens = (fence.token,)
