"""`python -m coliseum_local.queue --port P --state DIR [--template FILE]`: SQS on one machine, by moto's server.

The queues of template.yaml are made at the start, dead-letter queues and time-outs included. They live in memory: a
restart empties them. Nothing is lost for good by that, as every decision's row waits in Postgres.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from coliseum_local.processes import announce_ready
from coliseum_local.template import Queue, Template
from coliseum_local.variables import LOCAL_AWS

PREFIX = "coliseum-local-"


def main() -> None:
    arguments = _parse()
    arguments.state.mkdir(parents=True, exist_ok=True)
    template = Template.read(arguments.template.resolve())
    os.environ.pop("AWS_PROFILE", None)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would write a line for every empty receive
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=arguments.port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    urls = create_queues(sqs_at(url), template.queues)
    announce_ready(url=url, variables={name: urls[queue] for name, queue in template.queue_variables.items()})
    stopping.wait()
    os._exit(0)  # long polls that wait for messages would hold the server up


def sqs_at(url: str) -> Any:
    """A client for a server on this machine. It uses fixed credentials and not those of the user's AWS account."""
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=LOCAL_AWS["AWS_DEFAULT_REGION"],
        aws_access_key_id=LOCAL_AWS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=LOCAL_AWS["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 2}),
    )


def create_queues(sqs: Any, queues: Sequence[Queue]) -> dict[str, str]:
    """URLs by logical id. Dead-letter queues are made first, because the others refer to them."""
    urls: dict[str, str] = {}
    for queue in sorted(queues, key=lambda queue: queue.dead_letters is not None):
        attributes = dict(queue.attributes)
        if queue.dead_letters is not None:
            wanted = {"QueueUrl": urls[queue.dead_letters], "AttributeNames": ["QueueArn"]}
            arn = sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
            attributes["RedrivePolicy"] = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{queue.max_receives}"}}'
        made = sqs.create_queue(QueueName=f"{PREFIX}{queue.logical_id}", Attributes=attributes)
        urls[queue.logical_id] = made["QueueUrl"]
    return urls


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="coliseum_local.queue")
    parser.add_argument("--port", type=int, default=8004)
    parser.add_argument("--state", type=Path, default=Path(".coliseum/queue"))
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
