"""Decisions as they come from the queue: several at a time, each failing for itself."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from coliseum.arena.agents.backoff import wait_seconds
from coliseum.arena.agents.decisions import DecisionRunner
from coliseum.aws import delay_message
from coliseum.errors import ColiseumError
from coliseum.observability import logger

Message = Mapping[str, Any]


async def decide_all(
    desk: DecisionRunner, messages: Sequence[Message], *, seconds: float, queue_url: str | None
) -> dict[str, Any]:
    """Decide what an SQS event carries. The answer names the messages that SQS shall hand out again."""
    done = await asyncio.gather(*(_decide(desk, one, seconds=seconds, queue_url=queue_url) for one in messages))
    failed = [one["messageId"] for one, well in zip(messages, done, strict=True) if not well]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


async def _decide(desk: DecisionRunner, message: Message, *, seconds: float, queue_url: str | None) -> bool:
    try:
        decision_id = json.loads(message["body"])["decision_id"]
        ended = await desk.decide(decision_id, seconds=seconds)
    except Exception as error:  # noqa: BLE001 - one decision's trouble is not the others'
        logger().warning("not decided", message_id=message["messageId"], problem=f"{type(error).__name__}: {error}")
        if queue_url is not None and isinstance(error, ColiseumError):
            await asyncio.to_thread(_let_wait, message, queue_url, getattr(error, "retry_after", None))
        return False
    logger().info("decided", decision_id=decision_id, ended=ended.value)
    return True


def _let_wait(message: Message, queue_url: str, retry_after: float | None) -> None:
    """Come back soon; where that cannot be arranged, after the queue's whole time-out."""
    received = int(message["attributes"]["ApproximateReceiveCount"])
    wait = wait_seconds(attempt=received, retry_after=retry_after, jitter=random.random())
    try:
        delay_message(queue_url, message["receiptHandle"], seconds=wait)
    except ColiseumError as error:
        logger().warning("not postponed", message_id=message["messageId"], problem=str(error))
