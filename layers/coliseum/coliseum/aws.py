"""The client of AWS: secrets and queues. The only importer of boto3, on first use: most functions never need it."""

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

MAX_BATCH = 10
"""SQS takes at most this many messages in one call."""
MAX_DELAY_SECONDS = 43_200
"""Twelve hours: the longest visibility time-out that SQS allows."""


def load_secrets() -> None:
    """Add the parameters under `SECRETS_PATH` to the settings, if that is set. The environment wins.

    `/coliseum/prod/KALSHI_API_KEY` becomes KALSHI_API_KEY. Call it once per container, before anything reads settings.
    Raises ConfigurationError where the path holds no parameters, SourceError where they cannot be read.
    """
    path = config.settings.secrets_path
    if path is not None:
        config.add_secrets(read_parameters(path))


def read_parameters(path: str) -> dict[str, str]:
    """The decrypted parameters directly under `path`, by the last part of their names. Raises as `load_secrets`."""
    from botocore.exceptions import BotoCoreError, ClientError

    parameters: dict[str, str] = {}
    try:
        paginator = ssm_client().get_paginator("get_parameters_by_path")
        for page in paginator.paginate(Path=path.rstrip("/"), WithDecryption=True):
            parameters |= {row["Name"].rpartition("/")[2]: row["Value"] for row in page["Parameters"]}
    except (ClientError, BotoCoreError) as error:
        raise _source_error("ssm", f"parameters under {path} cannot be read", error) from error
    if not parameters:
        raise ConfigurationError("SECRETS_PATH", f"expected a path with parameters, got none under {path}")
    return parameters


def send_batch(queue_url: str, messages: Sequence[Mapping[str, object]], *, delay_seconds: int = 0) -> None:
    """Put JSON messages on a queue, ten per call. Raises SourceError unless SQS accepts all of them.

    SQS delivers them after `delay_seconds` (at most 900). A caller that repeats the call after an error may send some
    messages twice, so receivers must handle duplicates.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    for start in range(0, len(messages), MAX_BATCH):
        batch = messages[start : start + MAX_BATCH]
        try:
            reply = sqs_client().send_message_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(index), "MessageBody": json.dumps(message), "DelaySeconds": delay_seconds}
                    for index, message in enumerate(batch)
                ],
            )
        except (ClientError, BotoCoreError) as error:
            raise _source_error("sqs", f"messages from number {start} on were not accepted", error) from error
        if failed := reply.get("Failed"):
            first = failed[0]
            problem = f"{len(failed)} of {len(messages)} messages were not accepted: {first['Code']}"
            raise SourceUnavailable("sqs", problem, code=first["Code"])


def delay_message(queue_url: str, receipt_handle: str, *, seconds: int) -> None:
    """Deliver a received message that failed again after `seconds`, not after the queue's whole time-out.

    Raises SourceError where SQS refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        sqs_client().change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=min(seconds, MAX_DELAY_SECONDS)
        )
    except (ClientError, BotoCoreError) as error:
        raise _source_error("sqs", "a message could not be delayed", error) from error


def _source_error(source: str, problem: str, error: ClientError | BotoCoreError) -> SourceError:
    """A 4xx is a refusal (permissions, names); everything else is retryable. boto has retried already."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    kind = SourceRefused if status is not None and status < 500 else SourceUnavailable
    return kind(source, f"{problem}: {code or type(error).__name__}", status=status, code=code)


@cache
def ssm_client() -> SSMClient:
    """The process's client of Parameter Store."""
    import boto3

    return boto3.client("ssm", config=_time_limits())


@cache
def sqs_client() -> SQSClient:
    """The process's client of SQS."""
    import boto3

    return boto3.client("sqs", config=_time_limits())


def _time_limits() -> Config:
    """boto's default time-outs are one minute each, which is longer than most of our functions run."""
    from botocore.config import Config

    return Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
