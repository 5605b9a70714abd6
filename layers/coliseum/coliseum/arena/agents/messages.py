"""Decisions from the queue: several at a time, and one that fails does not stop the others."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from coliseum.arena.agents.backoff import wait_seconds
from coliseum.arena.agents.decisions import DecisionPostponed, DecisionRunner
from coliseum.aws import delay_message, send_batch
from coliseum.errors import ColiseumError
from coliseum.observability import logger

Message = Mapping[str, Any]
LONGEST_DELAY_SECONDS = 900
"""SQS delays a new message by at most 15 minutes. The decision is then postponed again."""


async def decide_all(
    decisions: DecisionRunner, messages: Sequence[Message], *, seconds: float, queue_url: str | None
) -> dict[str, Any]:
    """Make the decisions of an SQS event, each within `seconds`. Returns the messages that SQS should deliver again."""
    succeeded = await asyncio.gather(
        *(_decide(decisions, message, seconds=seconds, queue_url=queue_url) for message in messages)
    )
    failed = [message["messageId"] for message, success in zip(messages, succeeded, strict=True) if not success]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


async def _decide(decisions: DecisionRunner, message: Message, *, seconds: float, queue_url: str | None) -> bool:
    try:
        decision_id = json.loads(message["body"])["decision_id"]
        result = await decisions.decide(decision_id, seconds=seconds)
    except DecisionPostponed as postponed:
        logger().info("decision postponed", decision_id=decision_id, seconds=round(postponed.seconds))
        if queue_url is not None:
            await asyncio.to_thread(_send_later, postponed, queue_url)
        return True
    except Exception as error:  # noqa: BLE001 - a failed decision must not stop the others
        logger().warning("decision failed", message_id=message["messageId"], problem=f"{type(error).__name__}: {error}")
        if queue_url is not None and isinstance(error, ColiseumError):
            await asyncio.to_thread(_postpone, message, queue_url, getattr(error, "retry_after", None))
        return False
    logger().info("decision finished", decision_id=decision_id, ended=result.value)
    return True


def _send_later(postponed: DecisionPostponed, queue_url: str) -> None:
    """Put the decision on the queue once more. Another delivery of this message would count towards its limit.

    Where SQS refuses, the round's next call hands the decision out.
    """
    wait = min(LONGEST_DELAY_SECONDS, math.ceil(postponed.seconds))
    try:
        send_batch(queue_url, [{"decision_id": postponed.decision_id}], delay_seconds=wait)
    except ColiseumError as error:
        logger().warning("decision could not be sent", decision_id=postponed.decision_id, problem=str(error))


def _postpone(message: Message, queue_url: str, retry_after: float | None) -> None:
    """Let the message come back after its back-off. Where SQS refuses, it comes back after the queue's time-out."""
    received = int(message["attributes"]["ApproximateReceiveCount"])
    wait = wait_seconds(attempt=received, retry_after=retry_after, jitter=random.random())
    try:
        delay_message(queue_url, message["receiptHandle"], seconds=wait)
    except ColiseumError as error:
        logger().warning("message could not be postponed", message_id=message["messageId"], problem=str(error))
