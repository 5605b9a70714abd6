"""`python -m coliseum_local.gateway --port P --state DIR [--template FILE]`: the gateway as a server of the stack."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from dotenv import dotenv_values

from coliseum.outbound.local_names import add_local_name
from coliseum_local.gateway.app import LambdaGateway
from coliseum_local.news.app import NewsServer
from coliseum_local.news.desks import HOST, feed_list
from coliseum_local.processes import announce_ready
from coliseum_local.services import agent_port
from coliseum_local.serving import Server, listen, stop_signal, url_of
from coliseum_local.template import Template
from coliseum_local.variables import is_loopback

AGENT_HOST = "agent.coliseum.test"
"""A name for an outside agent's endpoint on this machine: functions call names with public addresses only."""
# Set on Lambda, meaningless here: secrets come from the environment, and this process is the runtime.
CLOUD_ONLY = ("SECRETS_PATH", "AWS_LAMBDA_EXEC_WRAPPER")

SCHEDULES = dict.fromkeys(("RoundSchedule", "SettleSchedule", "SourceSchedule"), "rate(1 minute)")
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
    news = await _begin_news()
    add_local_name(AGENT_HOST, f"http://127.0.0.1:{agent_port(os.environ)}")
    await gateway.start()
    await server.begin()
    announce_ready(url=url_of(listener))
    await stopping.wait()
    await gateway.stop()
    await server.end()
    if news is not None:
        await news.end()


async def _begin_news() -> Server | None:
    """Serve the sandbox's news, unless the exchange is a real one or the user names feeds of their own.

    Functions call public addresses only, and nothing opens others. So this process, in which they run, is told that it
    serves a name under .test itself.
    """
    if os.environ.get("ARENA_SOURCES") or not is_loopback(os.environ.get("KALSHI_API_BASE", "")):
        return None
    listener = listen(0)
    server = Server(NewsServer(lambda: datetime.now(UTC)), listener)
    await server.begin()
    add_local_name(HOST, url_of(listener))
    os.environ["ARENA_SOURCES"] = json.dumps(feed_list())
    return server


if __name__ == "__main__":
    main()
