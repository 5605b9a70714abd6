"""What the stack consists of, and what of it the user's variables replace. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coliseum_local import variables as names


@dataclass(frozen=True)
class StackService:
    """One embedded server: what it is, its module, and the variable that moves its port."""

    name: str
    what: str
    module: str
    port_variable: str
    default_port: int

    def port(self, variables: Mapping[str, str]) -> int:
        """Raises ValueError for anything but 0 (any free port) to 65535."""
        return _port(variables, self.port_variable, self.default_port, expected="a port from 0 (any free one) to 65535")


def agent_port(variables: Mapping[str, str]) -> int:
    """Where an outside agent's endpoint listens on this machine. Raises ValueError for anything but 1 to 65535."""
    expected = "the port of an agent's endpoint, from 1 to 65535"
    return _port(variables, "COLISEUM_AGENT_PORT", 9100, least=1, expected=expected)


def _port(variables: Mapping[str, str], name: str, default: int, *, least: int = 0, expected: str) -> int:
    text = variables.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= 65_535:
        raise ValueError(f"{name}: got {text!r}, expected {expected}")
    return int(text)


REDIS = StackService(
    "redis", "Valkey behind Upstash's REST protocol", "coliseum_local.redis", "COLISEUM_REDIS_PORT", 8001
)
POSTGRES = StackService(
    "postgres", "Postgres behind Supabase's REST protocol", "coliseum_local.postgres", "COLISEUM_SUPABASE_PORT", 8002
)
EXCHANGE = StackService(
    "exchange", "sandbox exchange (Kalshi's API)", "coliseum_local.exchange", "COLISEUM_KALSHI_PORT", 8003
)
QUEUE = StackService("queue", "SQS, by moto's server", "coliseum_local.queue", "COLISEUM_SQS_PORT", 8004)
BOT = StackService("bot", "reference bot, paper money", "coliseum_local.bot", "COLISEUM_BOT_PORT", 9000)
GATEWAY = StackService("gateway", "the functions of template.yaml", "coliseum_local.gateway", "COLISEUM_PORT", 8000)


@dataclass(frozen=True)
class Replacement:
    """Why a service is not started: the user's own stands at `url`, or `reason` says what else."""

    url: str | None
    reason: str


def replacements(variables: Mapping[str, str]) -> dict[StackService, Replacement]:
    """The services that are not started under these variables. Raises ValueError where one of a pair is missing."""
    found: dict[StackService, Replacement] = {}
    for service, url_name, secret in (
        (REDIS, "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
        (POSTGRES, "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"),
    ):
        if url := variables.get(url_name):
            if not variables.get(secret):
                raise ValueError(f"{secret}: is required with {url_name} and is not set")
            found[service] = Replacement(url, url_name)
    if url := variables.get("KALSHI_API_BASE"):
        found[EXCHANGE] = Replacement(url, "KALSHI_API_BASE")
    if url := variables.get("DECISIONS_QUEUE_URL"):
        found[QUEUE] = Replacement(url, "DECISIONS_QUEUE_URL")
    if replacement := _bot(variables):
        found[BOT] = replacement
    return found


def _bot(variables: Mapping[str, str]) -> Replacement | None:
    if variables.get("BOT_TRADES_ENDPOINT") or variables.get("BOT_STATUS_ENDPOINT"):
        return Replacement(names.of_external_bot(variables)["BOT_TRADES_ENDPOINT"], "BOT_TRADES_ENDPOINT")
    exchange = variables.get("KALSHI_API_BASE")
    if not exchange:
        return None
    if not names.is_loopback(exchange):
        return Replacement(None, "the reference bot trades on the sandbox only; set BOT_TRADES_ENDPOINT to your bot's")
    if not (variables.get("KALSHI_API_KEY") and variables.get("KALSHI_RSA_KEY_PATH")):
        return Replacement(None, "KALSHI_API_BASE is set, KALSHI_API_KEY or KALSHI_RSA_KEY_PATH is not")
    return None
