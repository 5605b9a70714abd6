"""Calls what is due, many endpoints at a time, and stores what they answer.

Work comes from the database as leases, so several callers can run at once and a killed one loses nothing: its calls are
made again when their leases end. Nothing is due twice while a lease lasts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from coliseum.arena import forecasts
from coliseum.arena.calling.messages import SignedMessage, challenge_message, question_message
from coliseum.arena.calling.records import CallRecords, EndpointChallenge, QuestionCall
from coliseum.arena.calling.replies import EndpointForecast, NoForecast, read_proof, read_reply
from coliseum.arena.clean_text import clean_line
from coliseum.arena.entry.entrants import NONCE_BYTES
from coliseum.arena.entry.sealing import entrant_payload
from coliseum.arena.entry.tokens import RANDOM_BYTES, code_from
from coliseum.arena.forecasts import clamped
from coliseum.errors import ColiseumError, InvalidInput, SourceError, SourceMalformed, SourceRefused
from coliseum.observability import logger
from coliseum.outbound.client import OutboundAnswer, OutboundRequest

Result = TypeVar("Result")
QUESTIONS_AT_ONCE = 64
"""Calls with a question that run together. Each is a connection and at most 32 kB."""
CHALLENGES_AT_ONCE = 16
"""New endpoints have places of their own, so that they cannot take those of proven ones."""
CALLS_PER_ENDPOINT = 2
CALL_SECONDS = 30.0
"""For a whole call: look-up, connection, answer. An agent that needs longer answers 202 and sends its forecast."""
MOST_BYTES = 32_768
"""Of an answer's body."""
SECONDS_BEFORE_CLOSE = 1.0
"""A call ends so long before its round, because storing takes time too."""
LONGEST_PROBLEM = 250
GATHER_SECONDS = 0.1
"""After a call has ended, others may end for so long before new work is looked for: one claim for all of them."""
LOOK_AGAIN_SECONDS = 5.0
"""While calls run, new work is looked for after this time at the latest."""


class Sender(Protocol):
    """What the caller needs of `Outbound`."""

    async def send(self, request: OutboundRequest) -> OutboundAnswer:
        """The answer. Raises ColiseumError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingReport:
    """What one run did. `problems` counts the challenges and calls that failed."""

    challenges: int
    proven: int
    calls: int
    forecasts: int
    abstained: int
    problems: int


class EndpointCaller:
    """Claims calls, makes them and stores their outcomes until nothing is due or the time is over."""

    def __init__(
        self,
        records: CallRecords,
        sender: Sender,
        *,
        random: Callable[[int], bytes],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        """`random` gives so many random bytes."""
        self._records = records
        self._sender = sender
        self._random = random
        self._clock = clock
        self._call_seconds = call_seconds
        self._counts: Counter[str] = Counter()

    async def run(self, *, seconds: float) -> CallingReport:
        """Begin calls for at most `seconds` and wait for the last of them, up to `call_seconds` longer.

        Raises SourceError where the database cannot be asked for work.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        challenges: set[asyncio.Task[None]] = set()
        questions: set[asyncio.Task[None]] = set()
        try:
            while loop.time() < end:
                claimed = await asyncio.to_thread(
                    self._records.claim,
                    questions=QUESTIONS_AT_ONCE - len(questions),
                    challenges=CHALLENGES_AT_ONCE - len(challenges),
                    each=CALLS_PER_ENDPOINT,
                    call_seconds=self._call_seconds,
                )
                challenges |= {asyncio.create_task(self._challenge(asked)) for asked in claimed.challenges}
                questions |= {asyncio.create_task(self._ask(call)) for call in claimed.questions}
                if not challenges | questions:
                    break
                # A slow endpoint keeps its own places only: whoever is ready is taken care of at once.
                ended, _ = await asyncio.wait(
                    challenges | questions, timeout=LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                challenges, questions = challenges - ended, questions - ended
                for task in ended:
                    task.result()
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            await asyncio.gather(*challenges, *questions)
        return CallingReport(**{one.name: self._counts[one.name] for one in fields(CallingReport)})

    # -- one challenge

    async def _challenge(self, asked: EndpointChallenge) -> None:
        self._counts["challenges"] += 1
        challenge = code_from(self._random(RANDOM_BYTES))
        message = challenge_message(asked, challenge, self._clock())
        found: NoForecast | None
        try:
            answer = await self._send(asked.endpoint, message, self._call_seconds)
            found = read_proof(answer.status, answer.headers, answer.body, secrets=asked.secrets, challenge=challenge)
        except Exception as error:  # noqa: BLE001 - one endpoint must not end the calls of the others
            found = _failure(error, asked.secrets)
        if found is None:
            self._counts["proven"] += 1
            await self._store(lambda: self._records.end_challenge(asked, problem=None))
            return
        self._note(asked.entrant_id, found)
        problem, wait, stop = found.problem, found.retry_after, found.outcome == "stop"
        await self._store(lambda: self._records.end_challenge(asked, problem=problem, retry_after=wait, stop=stop))

    # -- one question

    async def _ask(self, call: QuestionCall) -> None:
        self._counts["calls"] += 1
        seconds = min(self._call_seconds, call.seconds_left - SECONDS_BEFORE_CLOSE)
        found: EndpointForecast | NoForecast
        try:
            message = question_message(call, seconds=seconds, at=self._clock())
            answer = await self._send(call.endpoint, message, seconds)
            found = read_reply(answer.status, answer.headers, answer.body, secrets=call.secrets)
        except Exception as error:  # noqa: BLE001 - one endpoint must not end the calls of the others
            found = _failure(error, call.secrets)
        if isinstance(found, EndpointForecast):
            await self._seal(call, found)
            return
        if found.problem is None:
            self._counts["abstained"] += 1
        else:
            self._note(call.entrant_id, found)
        outcome, problem, wait = found.outcome, found.problem, found.retry_after
        await self._store(lambda: self._records.end(call, outcome, problem=problem, retry_after=wait))

    async def _seal(self, call: QuestionCall, found: EndpointForecast) -> None:
        payload = entrant_payload(
            call.entrant_id,
            {"round_id": call.round_id, "ticker": call.ticker, "context_hash": call.context_hash},
            probability=clamped(found.probability),
            rationale=found.rationale,
            made_at=self._clock(),
            nonce=self._random(NONCE_BYTES),
        )
        refused = await self._store(lambda: self._records.answer(call, payload, forecasts.seal(payload)) or "")
        if refused == "":
            self._counts["forecasts"] += 1
        elif refused is not None:
            logger().info("a called forecast was not stored", entrant_id=call.entrant_id, reason=refused)

    # -- what both do

    async def _send(self, endpoint: str, message: SignedMessage, seconds: float) -> OutboundAnswer:
        return await self._sender.send(
            OutboundRequest(
                url=endpoint,
                method="POST",
                headers=message.headers,
                body=message.body,
                seconds=seconds,
                most_bytes=MOST_BYTES,
            )
        )

    def _note(self, entrant_id: str, found: NoForecast) -> None:
        self._counts["problems"] += 1
        logger().info("an endpoint has a problem", entrant_id=entrant_id, outcome=found.outcome, problem=found.problem)

    async def _store(self, write: Callable[[], Result]) -> Result | None:
        """The result of a write; None where the database failed twice. Then the lease ends and the call is repeated.

        A write whose answer was lost may be repeated: its lease is over after the first.
        """
        for attempt in (1, 2):
            try:
                return await asyncio.to_thread(write)
            except SourceError as error:
                if attempt == 2 or not error.retryable:
                    logger().warning("an outcome of a call was not stored", problem=str(error))
                    break
        return None


def _failure(error: Exception, secrets: tuple[str, ...]) -> NoForecast:
    """A call without an answer that could be read."""
    match error:
        case InvalidInput():
            return NoForecast("unreachable", f"the address may not be called: expected {error.expected}")
        case SourceRefused():  # which address it is concerns nobody outside
            return NoForecast("unreachable", "the name has an address that is not public")
        case SourceMalformed():
            return NoForecast("wrong", error.problem)
        case SourceError():  # text of the libraries, which may quote what the endpoint sent
            return NoForecast("unreachable", _without(secrets, clean_line(error.problem, most=LONGEST_PROBLEM)))
        case ColiseumError():
            return NoForecast("unreachable", "the call failed")
        case _:
            logger().exception("a call failed unexpectedly")
            return NoForecast("unreachable", "the answer could not be read")


def _without(secrets: tuple[str, ...], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "[secret]").replace(secret.removeprefix("whsec_").rstrip("="), "[secret]")
    return text
