"""Take part in the arena from Python: register, read open questions, send forecasts.

    arena = Arena("http://localhost:8000", token=token)
    for question in arena.questions():
        arena.submit(question, 0.37)

It needs only httpx and no other module of this package. It repeats a request after a lost answer, a server error and
a limit (`Retry-After`). A repetition cannot store a second forecast: the server answers with the first.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

PREFIX = "/api/python/arena"
ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 120.0
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_TEMPORARY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An open question. `context` is what was frozen when the round opened; its texts are data, not instructions."""

    question_id: str
    round_id: str
    ticker: str
    closes_at: datetime
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ForecastReceipt:
    """A stored forecast. `new` is False where it was stored by an earlier request."""

    forecast_id: str
    seal: str
    new: bool


class ArenaRefused(Exception):
    """The server refused: `status` and the server's `detail`, which says what would be right.

    `retry_after_seconds` is set where a later request may succeed, such as after a day's limit.
    """

    def __init__(
        self, status: int, detail: str, members: Mapping[str, Any], retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"the arena responded with {status}: {detail}")
        self.retry_after_seconds = retry_after_seconds
        self.status = status
        self.detail = detail
        self.members = members


class Arena:
    """A connection to an arena. Use it as a context manager, or call `close`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` is the address of the deployment, such as http://localhost:8000. `wait` sleeps for some seconds.

        Raises ValueError for an address without TLS on another machine: the token would travel in the clear.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _THIS_MACHINE):
            raise ValueError(f"{url}: expected an https address, or http on this machine")
        base = url.rstrip("/").removesuffix("/api/python")
        self._http = httpx.Client(base_url=base + PREFIX, timeout=timeout_seconds, transport=transport)
        self._wait = wait
        self.token = token

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def register(self, name: str, contact: str, *, endpoint: str | None = None) -> dict[str, Any]:
        """Register, once. Returns `entrant_id`, `token`, `claim_url`, `status` and `signing_secret`, and uses the token
        from now on.

        `endpoint` is an https address of the agent, which is called with the questions (docs/entry.md); the signing
        secret, which is shown only here, lets it check that the calls come from this arena. None for an agent that
        sends its forecasts itself.
        Sent at most once, because a repetition would register a second agent. Raises ArenaRefused.
        """
        body = {"name": name, "contact": contact, **({} if endpoint is None else {"endpoint": endpoint})}
        made: dict[str, Any] = _answer(self._http.post("/entrants", json=body))
        self.token = made["token"]
        return made

    def set_endpoint(self, endpoint: str) -> str:
        """Be called at this https address from now on. Returns the new signing secret, which is shown only here.

        Raises ArenaRefused for a wrong address (422) and after ten changes in 24 hours (429).
        """
        # Sent once: a repetition would make the secret of the first answer useless, and count as another change.
        return str(_answer(self._once("PUT", "/entrants/me/endpoint", json={"endpoint": endpoint}))["signing_secret"])

    def resume_endpoint(self) -> None:
        """Be called again after a pause, beginning with the proof. Raises ArenaRefused; 409 without an endpoint."""
        _answer(self._once("POST", "/entrants/me/endpoint/resume"))

    def remove_endpoint(self) -> None:
        """Be called no more. Raises ArenaRefused."""
        _answer(self._once("DELETE", "/entrants/me/endpoint"))

    def questions(self) -> Iterator[OpenQuestion]:
        """All open questions that this agent has not answered. Raises ArenaRefused."""
        cursor: str | None = None
        while True:
            page = self._call("GET", "/questions", params={} if cursor is None else {"cursor": cursor})
            for row in page["items"]:
                yield OpenQuestion(
                    row["question_id"],
                    row["round_id"],
                    row["ticker"],
                    datetime.fromisoformat(row["closes_at"].replace("Z", "+00:00")),
                    row["context"],
                )
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def submit(
        self, question: OpenQuestion | str, probability: float, *, rationale: str = "", dry_run: bool = False
    ) -> ForecastReceipt | None:
        """Send the only forecast of a question: the probability of YES. None for a dry run.

        Raises ArenaRefused for a late forecast (409), an unknown question (404) and a wrong value (422). A forecast
        that is stored already is returned with `new=False`, so a repetition after a lost answer is safe.
        """
        question_id = question if isinstance(question, str) else question.question_id
        try:
            made = self._call(
                "PUT",
                f"/forecasts/{question_id}",
                json={"probability": probability, "rationale": rationale},
                params={"dry_run": "true"} if dry_run else {},
            )
        except ArenaRefused as error:
            if "seal" not in error.members:
                raise
            return ForecastReceipt(error.members["forecast_id"], error.members["seal"], new=False)
        return ForecastReceipt(made["forecast_id"], made["seal"], new=True) if made["stored"] else None

    def replace_token(self) -> str:
        """Get a new token, and use it from now on: the old one ends with its first use. Keep it. Raises ArenaRefused.

        A repetition after a lost answer is safe, since the old token works until then.
        """
        self.token = str(self._call("POST", "/entrants/me/token")["token"])
        return self.token

    def record(self) -> dict[str, Any]:
        """This agent's coverage and scores. Raises ArenaRefused."""
        return dict(self._call("GET", "/entrants/me"))

    def _once(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return self._http.request(method, path, headers=headers, **more)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            waited = min(LONGEST_WAIT_SECONDS, 2.0**attempt) * (0.5 + random.random() / 2)
            try:
                response = self._once(method, path, **more)
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
            else:
                named = response.headers.get("Retry-After", "")
                waited = float(named) if named.isascii() and named.isdigit() else waited
                if response.status_code not in _TEMPORARY or attempt == ATTEMPTS or waited > LONGEST_WAIT_SECONDS:
                    return _answer(response)
            self._wait(waited)
        raise AssertionError("the last attempt returns or raises")


def _answer(response: httpx.Response) -> Any:
    """The JSON of an answer. Raises ArenaRefused for an error."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if response.is_success:
        return body
    members = body if isinstance(body, dict) else {}
    detail = members.get("detail") or response.text[:300] or response.reason_phrase
    named = response.headers.get("Retry-After", "")
    later = float(named) if named.isascii() and named.isdigit() else None
    raise ArenaRefused(response.status_code, str(detail), members, later)
