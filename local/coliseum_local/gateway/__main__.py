"""`python -m coliseum_local.gateway --port P --state DIR [--template FILE]`: the gateway as a server of the stack."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from dotenv import dotenv_values

from coliseum_local.gateway.app import LambdaGateway
from coliseum_local.processes import announce_ready
from coliseum_local.serving import Server, listen, stop_signal, url_of
from coliseum_local.template import Template

# Set on Lambda, meaningless here: secrets come from the environment, and this process is the runtime.
CLOUD_ONLY = ("SECRETS_PATH", "AWS_LAMBDA_EXEC_WRAPPER")

SCHEDULES = {"RoundSchedule": "rate(1 minute)", "SettleSchedule": "rate(1 minute)"}
"""Shorter than in the cloud: a run costs nothing here, and the first round should not take five minutes to open."""


def main() -> None:
    arguments = _parse()
    template = Template.read(arguments.template.resolve(), parameters=SCHEDULES)
    arguments.state.mkdir(parents=True, exist_ok=True)
    _set_variables(template)
    os.chdir(arguments.state)  # .env has been read: what the supervisor unset must not come back from it
    asyncio.run(_serve(LambdaGateway(template), arguments.port))
    os._exit(0)  # a handler that still runs is killed, as Lambda would


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="coliseum_local.gateway")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--state", type=Path, default=Path(".coliseum/gateway"))
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    return parser.parse_args()


def _set_variables(template: Template) -> None:
    """The environment first, then `.env`, then the template's defaults. Empty means unset."""
    for name, value in dotenv_values(".env").items():
        if value is not None:
            os.environ.setdefault(name, value)
    for name in [name for name, value in os.environ.items() if not value]:
        del os.environ[name]
    if os.environ.get("AWS_ENDPOINT_URL_SQS"):
        os.environ.pop("AWS_PROFILE", None)  # boto3 would look it up, and the queue on this machine needs none
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "coliseum")  # one process for all functions here
    for name, value in template.variables.items():
        if name not in CLOUD_ONLY:
            os.environ.setdefault(name, value)


async def _serve(gateway: LambdaGateway, port: int) -> None:
    """Streams send their last event before the server closes their connections."""
    listener = listen(port)
    server = Server(gateway, listener, timeout_graceful_shutdown=1)
    stopping = stop_signal()
    await gateway.start()
    await server.begin()
    announce_ready(url=url_of(listener))
    await stopping.wait()
    await gateway.stop()
    await server.end()


if __name__ == "__main__":
    main()
