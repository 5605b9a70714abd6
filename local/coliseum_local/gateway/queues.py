"""SQS event source mappings on one machine: receive a batch, hand it over, delete what succeeded.

A message that the function names in `batchItemFailures` stays on the queue. It comes back after its visibility
time-out, or ends in the dead-letter queue. So does a whole batch whose function failed.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from coliseum_local.gateway import events
from coliseum_local.gateway.environments import EnvironmentPool, HandlerFailed, Throttled, TimedOut
from coliseum_local.template import QueueMapping

Sleep = Callable[[float], Awaitable[None]]
IDLE_SECONDS, TROUBLE_SECONDS = 1.0, 5.0
"""Between two looks at an empty queue, and at one that does not answer. A long poll would keep moto busy."""


class PolledQueue:
    """One mapping, and the function it feeds."""

    def __init__(
        self, messages: QueueMapping, environments: EnvironmentPool, *, sqs: Any, url: str, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._messages = messages
        self._environments = environments
        self._sqs = sqs
        self._url = url
        self._sleep = sleep
        self._slots = asyncio.Semaphore(messages.concurrency or 1)
        self.batches: set[asyncio.Task[None]] = set()
        """Deliveries that run."""
        self.received = 0
        self.deleted = 0
        self.failed = 0
        """Failed deliveries; one message may fail several times."""

    async def run(self) -> None:
        while True:
            await self._slots.acquire()
            try:
                batch = await asyncio.to_thread(self._receive)
            except Exception as error:  # noqa: BLE001 - the queue may be starting or gone; it is asked again
                print(f"queue {self._messages.queue}: {type(error).__name__}: {error}", file=sys.stderr)
                batch, pause = [], TROUBLE_SECONDS
            else:
                pause = IDLE_SECONDS
            if not batch:
                self._slots.release()
                await self._sleep(pause)
                continue
            task = asyncio.create_task(self._deliver(batch))
            self.batches.add(task)
            task.add_done_callback(self.batches.discard)

    async def _deliver(self, batch: Sequence[dict[str, Any]]) -> None:
        try:
            event = events.sqs(batch, queue_arn=events.queue_arn(self._url))
            failed_ids = await self._invoke(event, batch)
            succeeded = [message for message in batch if message["MessageId"] not in failed_ids]
            self.failed += len(batch) - len(succeeded)
            if succeeded:
                await asyncio.to_thread(self._delete, succeeded)
                self.deleted += len(succeeded)
        except Exception as error:  # noqa: BLE001 - what was not deleted comes back
            print(f"queue {self._messages.queue}: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            self._slots.release()

    async def _invoke(self, event: events.Event, batch: Sequence[dict[str, Any]]) -> set[str]:
        """The ids of the messages that failed."""
        sent_ids = {str(message["MessageId"]) for message in batch}
        try:
            answer = await self._environments.invoke(event, request_id=str(uuid.uuid4()))
        except (HandlerFailed, TimedOut, Throttled) as error:
            print(f"queue {self._messages.queue}: {error}", file=sys.stderr)
            return sent_ids
        failed_ids = {failure.get("itemIdentifier") for failure in (answer or {}).get("batchItemFailures") or ()}
        return failed_ids if failed_ids <= sent_ids else sent_ids  # an id we did not send fails the batch, as on Lambda

    def _receive(self) -> list[dict[str, Any]]:
        received = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(10, self._messages.batch_size),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        batch: list[dict[str, Any]] = received.get("Messages", [])
        self.received += len(batch)
        return batch

    def _delete(self, batch: Sequence[dict[str, Any]]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(batch)
        ]
        self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def report(self) -> dict[str, Any]:
        return {
            "queue": self._messages.queue,
            "function": self._environments.function.name,
            "received": self.received,
            "deleted": self.deleted,
            "failed": self.failed,
            "batches": len(self.batches),
        }


def polled(
    messages: QueueMapping,
    environments: EnvironmentPool,
    *,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
) -> PolledQueue | None:
    """The mapping at the address that `environment` holds; `variables` says in which variable. None without one."""
    import boto3
    from botocore.config import Config

    url = next((environment.get(name) for name, queue in variables.items() if queue == messages.queue), None)
    if not url:
        return None
    limits = Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 2})
    return PolledQueue(messages, environments, sqs=boto3.client("sqs", config=limits), url=url)
