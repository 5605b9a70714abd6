"""`coliseum models`: holds the roster against OpenRouter's list, and says what a round and a month may cost."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from coliseum.arena.agents.budget import reservation_per_decision
from coliseum.arena.agents.costs import CHARACTERS_PER_TOKEN, ROUND_CHARACTERS
from coliseum.arena.agents.roster import parse
from coliseum.arena.agents.roster_setting import configured_document
from coliseum.arena.records.rows import Agent, agent_from
from coliseum.config import Settings, load
from coliseum.errors import ColiseumError, SourceMalformed, SourceUnavailable
from coliseum.llm.names import vendor
from coliseum_local.installation import read_installation
from coliseum_local.run import ROOT

SECONDS = 15.0
EXPIRES_SOON = timedelta(days=90)
MONTH = timedelta(days=30)
MILLION = Decimal(1_000_000)
_VERSION = re.compile(r"[0-9.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of OpenRouter's list. Prices are US dollars per million tokens; None where the list gives none."""

    slug: str
    input_price: Decimal | None
    output_price: Decimal | None
    context_tokens: int | None
    parameters: frozenset[str]
    created: int
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """One model of the roster: what must be done about it, and the most that it may cost, in dollars."""

    agent_id: str
    model: str
    tracks: int
    decision_usd: Decimal
    round_usd: Decimal
    month_usd: Decimal
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RosterCheck:
    models: tuple[CheckedModel, ...]
    document: Mapping[str, Any] = field(repr=False)
    """The roster with the list's prices."""

    @property
    def exit_code(self) -> int:
        return int(any(model.problems for model in self.models))


def check_models(*, write: Path | None, as_json: bool, root: Path = ROOT) -> int:
    """Print the check. Returns 0 where nothing is to be done, 1 where something is, 2 where it cannot be checked."""
    try:
        settings = load(read_installation(root).setting_values)
        document = configured_document(settings.arena_roster)
        found = check(document, read_models(settings.openrouter_base_url), settings, now=datetime.now(UTC))
    except ColiseumError as error:
        print(f"The models cannot be checked. {error}", file=sys.stderr)
        return 2
    if write is not None:
        write.write_text(json.dumps(found.document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps([asdict(model) for model in found.models], indent=1, default=str))
    else:
        _print(found, settings)
    return found.exit_code


def read_models(base_url: str, *, transport: httpx.BaseTransport | None = None) -> dict[str, ListedModel]:
    """OpenRouter's public list, by slug. No key is sent. Raises SourceUnavailable and SourceMalformed."""
    try:
        with httpx.Client(timeout=SECONDS, transport=transport) as client:
            answer = client.get(f"{base_url.rstrip('/')}/models")
    except httpx.HTTPError as error:
        raise SourceUnavailable("openrouter", f"{base_url}/models does not answer: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise SourceUnavailable("openrouter", f"{base_url}/models answered {answer.status_code}")
    try:
        rows = answer.json()["data"]
        return {row["id"]: _listed(row) for row in rows}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{base_url}/models has an unknown form: {type(error).__name__}"
        raise SourceMalformed("openrouter", problem, field="data") from None


def check(
    document: Mapping[str, Any], listed: Mapping[str, ListedModel], settings: Settings, *, now: datetime
) -> RosterCheck:
    """Hold a roster document against the list. Pure. Costs are upper bounds: the longest prompt and reply."""
    rounds = MONTH.total_seconds() / settings.round_interval_seconds
    checked, prices = [], {}
    for row in parse(document).models:
        agent = _agent(row)
        known = listed.get(agent.model or "")
        decision = reservation_per_decision(agent)
        per_round = decision * len(agent.tracks) * settings.round_markets
        problems, notes = _findings(agent, known, listed, now)
        checked.append(
            CheckedModel(
                agent_id=agent.agent_id,
                model=agent.model or "",
                tracks=len(agent.tracks),
                decision_usd=decision,
                round_usd=per_round,
                month_usd=(per_round * Decimal(rounds)).quantize(Decimal("0.01")),
                problems=tuple(problems),
                notes=tuple(notes),
            )
        )
        if known is not None and known.input_price is not None and known.output_price is not None:
            prices[agent.agent_id] = {
                "input": format(known.input_price, "f"),
                "output": format(known.output_price, "f"),
            }
    models = [{**entry, "prices": prices.get(entry["agent_id"], entry["prices"])} for entry in document["models"]]
    return RosterCheck(tuple(checked), {**document, "models": models})


def _findings(
    agent: Agent, known: ListedModel | None, listed: Mapping[str, ListedModel], now: datetime
) -> tuple[list[str], list[str]]:
    """(what must be done, what is worth knowing)."""
    if known is None:
        return ["OpenRouter does not list it: take it out, or enter its present name"], []
    problems, notes = [], []
    if known.expires is not None and known.expires - now < EXPIRES_SOON:
        problems.append(f"it ends on {known.expires:%Y-%m-%d}")
    for name, price in (("input", known.input_price), ("output", known.output_price)):
        ours = Decimal(agent.params["prices"][name])
        if price is not None and price > ours:
            problems.append(f"{name} costs {price.normalize():f} and the roster pays {ours:f}: no host will answer")
        elif price is not None and price < ours:
            notes.append(f"{name} costs {price.normalize():f} now, the roster reserves {ours:f}")
    options = agent.params["options"]
    needed = ROUND_CHARACTERS // CHARACTERS_PER_TOKEN + options["max_tokens"]
    if known.context_tokens is not None and known.context_tokens < needed:
        problems.append(f"its context has {known.context_tokens:,} tokens, and a question needs {needed:,}")
    if known.parameters:
        notes += _parameter_notes(options, known.parameters)
        if options.get("temperature") is not None and "temperature" not in known.parameters:
            problems.append("it has no temperature: take the option out, or no host will answer")
    newer = [other for other in listed.values() if _is_newer_sibling(other, known)]
    if newer:
        notes.append(f"newer: {max(newer, key=lambda other: other.created).slug}")
    return problems, notes


def _parameter_notes(options: Mapping[str, Any], parameters: frozenset[str]) -> list[str]:
    notes = []
    if not parameters & {"tools", "structured_outputs", "response_format"}:
        notes.append("it has neither tools nor schemas: it is asked for JSON in the prompt")
    if options.get("reasoning") is not None and "reasoning" not in parameters:
        notes.append("it does not reason")
    return notes


def _is_newer_sibling(other: ListedModel, known: ListedModel) -> bool:
    """Whether it is a later model with the same name but for numbers: `a/x-5.5` and `a/x-5.6`."""
    same = vendor(other.slug) == vendor(known.slug) and _family(other.slug) == _family(known.slug)
    return same and other.slug != known.slug and ":" not in other.slug and other.created > known.created


def _family(slug: str) -> str:
    return _VERSION.sub("", slug).strip("-")


def _agent(row: Mapping[str, Any]) -> Agent:
    return agent_from({**row, "status": "active", "season": "", "output_mode": "auto"})


def _listed(row: Mapping[str, Any]) -> ListedModel:
    pricing = row.get("pricing") or {}
    context = row.get("context_length")
    return ListedModel(
        slug=str(row["id"]),
        input_price=_per_million(pricing.get("prompt")),
        output_price=_per_million(pricing.get("completion")),
        context_tokens=context if isinstance(context, int) else None,
        parameters=frozenset(row.get("supported_parameters") or ()),
        created=int(row.get("created") or 0),
        expires=_moment(row.get("expiration_date")),
    )


def _per_million(text: object) -> Decimal | None:
    """Dollars per million tokens from dollars per token. None for a price that varies (negative) or is no number."""
    try:
        price = Decimal(str(text)) * MILLION
    except InvalidOperation:
        return None
    return price.normalize() if price.is_finite() and price >= 0 else None


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(found: RosterCheck, settings: Settings) -> None:
    table = Table(
        "agent", "model", "tracks", "a decision", "a round", "a month", "what to do", title="The roster's models"
    )
    for model in found.models:
        table.add_row(
            model.agent_id,
            model.model,
            str(model.tracks),
            f"${model.decision_usd:.4f}",
            f"${model.round_usd:.2f}",
            f"${model.month_usd:,.2f}",
            "\n".join((*model.problems, *(f"({note})" for note in model.notes))) or "-",
        )
    console = Console()
    console.print(table)
    total = sum((model.month_usd for model in found.models), Decimal(0))
    cap = settings.arena_daily_budget_usd * 30
    console.print(_summary(found.models, total, cap))


def _summary(models: Sequence[CheckedModel], total: Decimal, cap: Decimal) -> str:
    limit = f"All rounds of a month cost at most ${total:,.2f}; ARENA_DAILY_BUDGET_USD allows ${cap:,.2f}."
    to_do = sum(bool(model.problems) for model in models)
    return f"{limit} {to_do} of {len(models)} models need something." if to_do else f"{limit} Nothing is to be done."
