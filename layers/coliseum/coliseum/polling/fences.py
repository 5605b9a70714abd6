"""Which fence tokens the log may have when this poller publishes. Pure."""

from __future__ import annotations

from coliseum.feed.protocol import Fence

UNANSWERED_MAX = 50
"""Newest publish calls without an answer that are remembered: any of them may have been the last one executed."""


class FenceHistory:
    """The token of the last confirmed publish call, and those of the last `UNANSWERED_MAX` calls without an answer.

    Invariant: while no other poller has published, the fence in the log is one of these. A call without an answer may
    or may not have been executed, and only the log knows. The invariant fails only where the log executed a call and
    then `UNANSWERED_MAX` more calls were neither answered nor executed. The next call is refused then, and the
    checkpoint is loaded as after a publication of another poller.
    """

    def __init__(self) -> None:
        self._confirmed = ""  # an empty log has an empty fence
        self._unanswered: tuple[str, ...] = ()

    def __contains__(self, token: object) -> bool:
        return token == self._confirmed or token in self._unanswered

    def start_from(self, token: str) -> None:
        """Begin with the fence that stands in the log."""
        self._confirmed, self._unanswered = token, ()

    def next_fence(self, token: str) -> Fence:
        """The fence of a publish call with a new `token`, which counts as unanswered until `confirm`."""
        fence = Fence((self._confirmed, *self._unanswered), token)
        self._unanswered = (*self._unanswered, token)[-UNANSWERED_MAX:]
        return fence

    def confirm(self, fence: Fence) -> None:
        """The call with this fence was answered, so its token stands in the log."""
        self.start_from(fence.token)
