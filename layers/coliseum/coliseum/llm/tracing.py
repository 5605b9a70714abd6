"""The door to Logfire: a span around every question, and everything flushed before the environment freezes.

Without LOGFIRE_TOKEN nothing is loaded, made or sent. Owner of logfire.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from coliseum.config import Settings

if TYPE_CHECKING:
    import logfire
    from opentelemetry.sdk.trace import SpanProcessor

FLUSH_SECONDS = 1.5
"""Logfire's own flush may take ten seconds when its backend hangs, and ignores shorter settings."""
MARKET_TEXT = frozenset({"market.title", "market.question", "market.ticker", "rationale"})
"""Attributes that hold market text: "the current session of Congress" is no secret, though the word looks like one."""
_on = threading.Event()


def start(settings: Settings, *, processors: Sequence[SpanProcessor] | None = None) -> None:
    """Trace from now on, if there is a token. `processors` get the spans too, token or not: for tests."""
    if settings.logfire_token is None and processors is None:
        return
    import logfire

    token = settings.logfire_token
    sends: bool | Literal["if-token-present"] = "if-token-present" if token is not None else False
    logfire.configure(
        send_to_logfire=sends,
        token=None if token is None else token.get_secret_value(),
        service_name="coliseum-forecaster",
        environment=settings.environment,
        console=False,
        inspect_arguments=False,
        metrics=False,  # their threads freeze with the environment
        scrubbing=logfire.ScrubbingOptions(callback=_keep_market_text),
        additional_span_processors=None if processors is None else list(processors),
    )
    logfire.instrument_pydantic_ai(include_content=settings.logfire_include_content)
    _on.set()


class TraceSpan:
    """A span that is being made, or nothing."""

    def __init__(self, inner: logfire.LogfireSpan | None) -> None:
        self._inner = inner

    def set(self, attributes: Mapping[str, str | float | None]) -> None:
        """None is left out."""
        if self._inner is not None:
            for name, value in attributes.items():
                if value is not None:
                    self._inner.set_attribute(name, value)


@contextmanager
def span(template: str, /, **attributes: Any) -> Iterator[TraceSpan]:
    """A span around what follows; `template` is filled in with the attributes."""
    if not _on.is_set():
        yield TraceSpan(None)
        return
    import logfire

    with logfire.span(template, **attributes) as made:
        yield TraceSpan(made)


def flush(seconds: float = FLUSH_SECONDS) -> bool:
    """Send what is waiting, for at most so long; False where time was up."""
    if not _on.is_set():
        return True
    import logfire

    thread = threading.Thread(target=logfire.force_flush, name="logfire-flush", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def stop() -> None:
    """Trace no more."""
    if _on.is_set():
        import logfire

        _on.clear()
        logfire.shutdown(flush=False)


def _keep_market_text(match: logfire.ScrubMatch) -> Any:
    """The value to keep, or None to scrub it."""
    path = match.path
    return match.value if len(path) >= 2 and path[0] == "attributes" and path[1] in MARKET_TEXT else None
