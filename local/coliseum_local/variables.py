"""The variables the stack runs under: the environment over `.env`, and what the embedded servers put on top. Pure."""

from __future__ import annotations

import os.path
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from coliseum.identity import LOOPBACK

Variables = dict[str, str]
LOCAL_AWS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
"""boto3 needs these; a server on this machine does not check them."""


def merged(environment: Mapping[str, str], dotenv: Mapping[str, str | None], *, folder: str) -> Variables:
    """The environment wins. An empty variable counts as unset there too. Paths count from `folder`."""
    variables = {name: value for name, value in dotenv.items() if value is not None} | dict(environment)
    key_path = variables.get("KALSHI_RSA_KEY_PATH")
    if key_path:
        variables["KALSHI_RSA_KEY_PATH"] = os.path.join(folder, os.path.expanduser(key_path))
    return variables


def misspelt(names: Iterable[str], settings: Collection[str]) -> dict[str, str]:
    """Names that are no setting but look like one, each with the setting it looks like."""
    near = {name: get_close_matches(name.upper(), settings, n=1, cutoff=0.85) for name in names if name not in settings}
    return {name: meant[0] for name, meant in near.items() if meant}


def of_redis(ready: Mapping[str, str]) -> Variables:
    return {"UPSTASH_REDIS_REST_URL": ready["url"], "UPSTASH_REDIS_REST_TOKEN": ready["token"]}


def of_postgres(ready: Mapping[str, str]) -> Variables:
    return {"SUPABASE_URL": ready["url"], "SUPABASE_SERVICE_ROLE_KEY": ready["secret_key"]}


def of_exchange(ready: Mapping[str, str]) -> Variables:
    """The sandbox's key replaces the user's own, which is for another exchange."""
    return {
        "KALSHI_API_BASE": ready["url"],
        "KALSHI_API_KEY": ready["api_key"],
        "KALSHI_RSA_KEY_PATH": ready["private_key_path"],
        "KALSHI_PRIVATE_KEY": "",
    }


SANDBOX_ROUNDS = {
    "ROUND_INTERVAL_SECONDS": "180",
    "ROUND_OPEN_SECONDS": "120",
    "ROUND_MARKETS": "12",
    "ARENA_ENTRY": "open",
}
"""On the sandbox markets live for minutes, and so do rounds. Outside agents can try themselves."""


def of_sandbox_rounds(variables: Mapping[str, str]) -> Variables:
    """The sandbox's rounds, but for what the user has set."""
    return {name: variables.get(name) or value for name, value in SANDBOX_ROUNDS.items()}


def of_queue(ready: Mapping[str, Any]) -> Variables:
    """Where boto3 finds the queues, and each queue's address under the variable that template.yaml gives it."""
    return {**LOCAL_AWS, "AWS_ENDPOINT_URL_SQS": ready["url"], **ready["variables"]}


def of_bot(url: str) -> Variables:
    return {"BOT_STATUS_ENDPOINT": f"{url}/status", "BOT_TRADES_ENDPOINT": f"{url}/trades"}


def of_push(variables: Mapping[str, str], *, made: str) -> Variables:
    """The secret with which the reference bot signs its pushes: the user's, else the one that was `made`."""
    return {"BOT_WEBHOOK_SECRET": variables.get("BOT_WEBHOOK_SECRET") or made}


def of_external_bot(variables: Mapping[str, str]) -> Variables:
    """Both endpoints, where the user named at least one: they stand side by side."""
    known = variables.get("BOT_TRADES_ENDPOINT") or variables.get("BOT_STATUS_ENDPOINT") or ""
    base = known.rsplit("/", 1)[0]
    return {name: variables.get(name) or value for name, value in of_bot(base).items()}


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK
