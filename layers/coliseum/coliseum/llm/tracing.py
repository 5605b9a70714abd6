"""The client of Logfire: a span around every question, and a flush before Lambda freezes the environment.

The only importer of logfire. Without LOGFIRE_TOKEN it is not imported and nothing is sent.
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
"""Logfire's own flush can take ten seconds when its backend hangs; shorter settings have no effect."""
MARKET_TEXT = frozenset({"market.title", "market.question", "market.ticker", "rationale"})
"""Attributes with market text. Logfire would scrub "the current session of Congress" because of the word session."""
_enabled = threading.Event()
_starting = threading.Lock()


def start(settings: Settings, *, processors: Sequence[SpanProcessor] | None = None) -> None:
    """Start tracing if there is a token. `processors` (for tests) receive the spans in any case."""
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
    _enabled.set()


def start_once(settings: Settings) -> None:
    """Start tracing if there is a token and nobody has started it: neither this module nor the program itself."""
    if settings.logfire_token is None or _enabled.is_set():
        return
    with _starting:
        if _enabled.is_set():
            return
        import logfire

        if getattr(logfire.DEFAULT_LOGFIRE_INSTANCE.config, "_initialized", False):
            # The program has its own configuration, which another one would replace.
            logfire.instrument_pydantic_ai(include_content=settings.logfire_include_content)
            _enabled.set()
            return
        start(settings)


class TraceSpan:
    """An open span; without tracing it does nothing."""

    def __init__(self, inner: logfire.LogfireSpan | None) -> None:
        self._inner = inner

    def set(self, attributes: Mapping[str, str | float | None]) -> None:
        """Set the attributes; a value of None is left out."""
        if self._inner is not None:
            for name, value in attributes.items():
                if value is not None:
                    self._inner.set_attribute(name, value)


@contextmanager
def span(template: str, /, **attributes: Any) -> Iterator[TraceSpan]:
    """A span around the block. Its name is `template` with the attributes filled in."""
    if not _enabled.is_set():
        yield TraceSpan(None)
        return
    import logfire

    with logfire.span(template, **attributes) as inner:
        yield TraceSpan(inner)


def flush(seconds: float = FLUSH_SECONDS) -> bool:
    """Send the waiting spans, for at most `seconds`. Returns False where the time was not enough."""
    if not _enabled.is_set():
        return True
    import logfire

    thread = threading.Thread(target=logfire.force_flush, name="logfire-flush", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def stop() -> None:
    """Stop tracing."""
    if _enabled.is_set():
        import logfire

        _enabled.clear()
        logfire.shutdown(flush=False)


def _keep_market_text(match: logfire.ScrubMatch) -> Any:
    """The value to keep, or None to scrub it."""
    path = match.path
    return match.value if len(path) >= 2 and path[0] == "attributes" and path[1] in MARKET_TEXT else None
