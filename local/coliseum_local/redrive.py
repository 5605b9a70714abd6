"""`coliseum redrive`: dead letters go back to the queue they came from, here or in AWS."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from coliseum.errors import ConfigurationError
from coliseum_local.installation import read_installation
from coliseum_local.queue import sqs_at
from coliseum_local.run import ROOT

HIDDEN_SECONDS = 30
"""How long a dead letter is ours while it is moved."""


def redrive(queue_url: str | None, root: Path = ROOT) -> int:
    """Print how many went out again; 0 unless something is missing or refused."""
    try:
        sqs, source = _queue(queue_url, root)
        moved = move(sqs, source=dead_letters_of(sqs, source), target=source)
    except (LookupError, ConfigurationError, ClientError, BotoCoreError) as error:
        print(f"not redriven: {error}", file=sys.stderr)
        return 1
    print(f"{moved} handed out again")
    return 0


def dead_letters_of(sqs: Any, queue_url: str) -> str:
    """The address of the queue that takes this one's failures. Raises LookupError where it has none."""
    wanted = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy = wanted.get("Attributes", {}).get("RedrivePolicy")
    if policy is None:
        raise LookupError(f"{queue_url} has no dead-letter queue")
    name = json.loads(policy)["deadLetterTargetArn"].rpartition(":")[2]
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])


def move(sqs: Any, *, source: str, target: str) -> int:
    """Move all messages, each deleted only after it was taken; how many. A stop in between may double one."""
    moved = 0
    while True:
        received = sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN_SECONDS)
        messages = received.get("Messages", [])
        if not messages:
            return moved
        for message in messages:
            sqs.send_message(QueueUrl=target, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        moved += len(messages)


def _queue(queue_url: str | None, root: Path) -> tuple[Any, str]:
    """A client and the queue: the one named, or that of the running system."""
    if queue_url is not None:
        return boto3.client("sqs"), queue_url
    installation = read_installation(root)
    running = installation.running or {}
    url = running.get("DECISIONS_QUEUE_URL") or installation.variables.get("DECISIONS_QUEUE_URL")
    if not url:
        raise LookupError("no system runs here and DECISIONS_QUEUE_URL is not set; name the queue with --queue-url")
    endpoint = running.get("AWS_ENDPOINT_URL_SQS")
    return (sqs_at(endpoint) if endpoint else boto3.client("sqs")), url
