"""The door to AWS: secrets and queues. Owns boto3, which is imported on first use: most functions never need it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from coliseum import config
from coliseum.errors import ConfigurationError, SourceError, SourceRefused, SourceUnavailable

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient

BATCH = 10
"""The most messages SQS takes in one call."""
LONGEST_HIDDEN_SECONDS = 43_200
"""Twelve hours: the longest SQS keeps a received message from others."""


def load_secrets() -> None:
    """Put the parameters under `SECRETS_PATH` into the settings, where that path is set; the environment wins.

    `/coliseum/prod/KALSHI_API_KEY` becomes KALSHI_API_KEY. Call it once per container, before the settings are used.
    """
    path = config.settings.secrets_path
    if path is not None:
        config.add_secrets(secrets_under(path))


def secrets_under(path: str) -> dict[str, str]:
    """Decrypted parameters directly under `path`, by the last part of their names."""
    from botocore.exceptions import BotoCoreError, ClientError

    found: dict[str, str] = {}
    try:
        paginator = _ssm().get_paginator("get_parameters_by_path")
        for page in paginator.paginate(Path=path.rstrip("/"), WithDecryption=True):
            found |= {one["Name"].rpartition("/")[2]: one["Value"] for one in page["Parameters"]}
    except (ClientError, BotoCoreError) as error:
        raise _source_error("ssm", f"parameters under {path} cannot be read", error) from error
    if not found:
        raise ConfigurationError("SECRETS_PATH", f"holds no parameters: {path}")
    return found


def send_batch(queue_url: str, messages: Sequence[Mapping[str, object]], *, delay_seconds: int = 0) -> None:
    """Put JSON messages on a queue, ten a call. Raises SourceError unless every one was taken.

    They are handed out after `delay_seconds` (at most 900). Who sends again after an error may send some of them
    twice: whoever receives must bear that.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    for start in range(0, len(messages), BATCH):
        batch = messages[start : start + BATCH]
        try:
            reply = _sqs().send_message_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(index), "MessageBody": json.dumps(message), "DelaySeconds": delay_seconds}
                    for index, message in enumerate(batch)
                ],
            )
        except (ClientError, BotoCoreError) as error:
            raise _source_error("sqs", f"did not take messages {start} and on", error) from error
        if failed := reply.get("Failed"):
            first = failed[0]
            told = f"did not take {len(failed)} of {len(messages)} messages: {first['Code']}"
            raise SourceUnavailable("sqs", told, code=first["Code"])


def postpone(queue_url: str, receipt_handle: str, *, seconds: int) -> None:
    """Let a received message that failed come back after so long, not after the queue's whole time-out."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _sqs().change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=min(seconds, LONGEST_HIDDEN_SECONDS)
        )
    except (ClientError, BotoCoreError) as error:
        raise _source_error("sqs", "did not postpone a message", error) from error


def _source_error(source: str, told: str, error: ClientError | BotoCoreError) -> SourceError:
    """A 4xx is AWS's no (permissions, names); everything else may pass. boto has tried again already."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    kind = SourceRefused if status is not None and status < 500 else SourceUnavailable
    return kind(source, f"{told}: {code or type(error).__name__}", status=status, code=code)


@cache
def _ssm() -> SSMClient:
    import boto3

    return boto3.client("ssm", config=_limits())


@cache
def _sqs() -> SQSClient:
    import boto3

    return boto3.client("sqs", config=_limits())


def _limits() -> Config:
    """boto's own time-outs are a minute each, longer than most of our functions live."""
    from botocore.config import Config

    return Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
