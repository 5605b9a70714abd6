"""HTTP routes for outside agents. With `ARENA_ENTRY=off`, the default, every one of them answers 404."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from coliseum.arena.api.entry.answers import (
    ClaimedEntrantAnswer,
    EntrantAnswer,
    EntrantData,
    EntrantRecordAnswer,
    EntrantRequest,
    EntrantsAnswer,
    EntrantStatusAnswer,
    ForecastRequest,
    LimitRequest,
    QuestionAnswer,
    QuestionData,
    QuestionsAnswer,
    SealedAnswer,
    TokenAnswer,
)
from coliseum.arena.api.entry.skill_page import skill_index, skill_page
from coliseum.arena.api.public.queries import PublicQueries
from coliseum.arena.api.routes import AGENT_PATTERN, Page
from coliseum.arena.entry.entrants import Entrant, Entrants
from coliseum.errors import NotPermitted
from coliseum.http.client_address import hidden_network
from coliseum.http.operator import check_operator, operator_only
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX, settings_of
from coliseum.http.strict_body import StrictBodyRoute
from coliseum.http.strict_query import known_parameters_only
from coliseum.observability import logger

_bearer = HTTPBearer(scheme_name="outside agent", auto_error=False)
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:]{2,45}\](:\d{1,5})?", re.ASCII)
NO_STORE = {"Cache-Control": "no-store"}


def entry_only(request: Request) -> None:
    """Raises HTTPException 404 while outside agents cannot take part."""
    if settings_of(request).arena_entry == "off":
        raise HTTPException(404)


class EntryRoute(StrictBodyRoute):
    """A route for outside agents. While none can take part it does not exist."""

    gates = (entry_only,)


class EntrantOperatorRoute(StrictBodyRoute):
    """A route of the operator for outside agents."""

    gates = (entry_only, check_operator)


def entrants_of(request: Request) -> Entrants:
    entrants: Entrants = request.app.state.entrants
    return entrants


EntrantsDependency = Annotated[Entrants, Depends(entrants_of)]


def entrant_of(
    entrants: EntrantsDependency, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Entrant:
    """The caller. Raises NotPermitted and OverLimit."""
    if credentials is None:
        raise NotPermitted(
            401, "Send your token as `Authorization: Bearer <token>`. /arena/SKILL.md says how to get one."
        )
    return entrants.authorize(credentials.credentials)


Caller = Annotated[Entrant, Depends(entrant_of)]
QuestionPath = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        examples=["r-20261201T120000Z.A-1"],
    ),
]
EntrantPath = Annotated[str, Path(pattern=AGENT_PATTERN, examples=["e-base-rates-1f3870be"])]

router = APIRouter(
    prefix=f"{PREFIX}/arena",
    tags=["arena entry"],
    responses=PROBLEMS,
    dependencies=[Depends(entry_only), Depends(known_parameters_only)],
    route_class=EntryRoute,
)
discovery_router = APIRouter(include_in_schema=False, dependencies=[Depends(entry_only)], route_class=EntryRoute)
operator_router = APIRouter(
    prefix=f"{PREFIX}/arena",
    tags=["arena operation"],
    responses=PROBLEMS,
    dependencies=[Depends(entry_only), Depends(operator_only), Depends(known_parameters_only)],
    route_class=EntrantOperatorRoute,
)


def base_url(request: Request) -> str:
    """The address of the API as the caller wrote it. A Host header that is no host name is not repeated."""
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        return f"https://YOUR-HOST{PREFIX}"
    local = host.partition(":")[0] in {"localhost", "127.0.0.1"} or host.startswith("[")
    return f"{'http' if local else 'https'}://{host}{PREFIX}"


@router.get("/SKILL.md", summary="How an agent takes part, on one page", response_class=Response)
def skill(request: Request) -> Response:
    """A page that an agent can follow alone."""
    mode = settings_of(request).arena_entry
    return Response(skill_page(base_url(request), mode=mode), media_type="text/markdown; charset=utf-8")


@discovery_router.get("/.well-known/agent-skills/index.json")
def skills(request: Request) -> JSONResponse:
    """Where agents look for what they can do here: the page for agents, with its digest."""
    return JSONResponse(skill_index(base_url(request), mode=settings_of(request).arena_entry))


@router.post("/entrants", summary="Register an outside agent", status_code=201)
def register(request: Request, response: Response, entrants: EntrantsDependency, body: EntrantRequest) -> EntrantAnswer:
    """Gives the token, once, and with an endpoint the secret that signs our calls. With `ARENA_ENTRY=open` the agent is
    active at once, with small limits; with `invite` it is active when the operator admits it."""
    mode = settings_of(request).arena_entry
    made = entrants.register(
        name=body.name,
        contact=body.contact,
        endpoint=body.endpoint,
        mode=mode,
        network=hidden_network(request),
        per_network=settings_of(request).arena_entry_per_address,
    )
    audit(request, "register_entrant", entrant_id=made.entrant_id, status=made.status)
    response.headers.update(NO_STORE)
    link = f"{base_url(request)}/arena/entrants/{made.entrant_id}/claim?code={made.claim_code}"
    return EntrantAnswer.model_validate(
        {
            "entrant_id": made.entrant_id,
            "token": made.token,
            "claim_url": link,
            "status": made.status,
            "signing_secret": made.signing_secret,
        }
    )


@router.get("/entrants/me", summary="Your coverage and scores")
def me(entrants: EntrantsDependency, caller: Caller) -> EntrantRecordAnswer:
    """Over the rounds that are closed, and how the calls of your endpoint went. Questions that you leave unanswered
    lower your coverage on the leaderboard."""
    return EntrantRecordAnswer.model_validate(
        {
            "entrant_id": caller.entrant_id,
            "status": "active",
            "requests_per_minute": caller.requests_per_minute,
            "forecasts_per_day": caller.forecasts_per_day,
            **entrants.record(caller),
        }
    )


@router.post("/entrants/me/token", summary="Replace your token")
def rotate(request: Request, response: Response, entrants: EntrantsDependency, caller: Caller) -> TokenAnswer:
    """The old token works until the new one is first used: where this answer is lost, repeat the request."""
    token = entrants.rotate(caller)
    audit(request, "rotate_token", entrant_id=caller.entrant_id)
    response.headers.update(NO_STORE)
    return TokenAnswer(token=token)


@router.get("/entrants/{entrant_id}/claim", summary="What a claim link shows")
def claim(
    request: Request,
    entrants: EntrantsDependency,
    entrant_id: EntrantPath,
    code: Annotated[str, Query(max_length=100, description="From the claim link. Logs of paths do not hold it.")],
) -> ClaimedEntrantAnswer:
    """For the operator. It changes nothing."""
    row = entrants.claim(entrant_id, code)
    path = f"{base_url(request)}/arena/entrants/{entrant_id}/admit"
    return ClaimedEntrantAnswer.model_validate(
        {**row, "admit": f'curl -X POST -H "Authorization: Bearer $ADMIN_TOKEN" {path}'}
    )


@router.get("/questions", summary="Open questions that you have not answered")
def questions(request: Request, entrants: EntrantsDependency, caller: Caller, page: Page) -> QuestionsAnswer:
    """Each with the context that was frozen when the round opened. At most 50 at a time."""
    limit = min(page.limit, 50)
    scope = {"entrant": caller.entrant_id}
    after = "" if page.cursor is None else str(decode_cursor("questions", scope, page.cursor).get("after", ""))
    rows = entrants.questions(caller, after=after, limit=limit + 1)
    items = [QuestionData.model_validate(row) for row in rows[:limit]]
    more = len(rows) > limit
    return QuestionsAnswer(
        items=items,
        count=len(items),
        next_cursor=encode_cursor("questions", scope, {"after": items[-1].question_id}) if more else None,
        **_queries(request).source_fields(),
    )


@router.get("/questions/{question_id}", summary="One open question")
def question(
    request: Request, entrants: EntrantsDependency, caller: Caller, question_id: QuestionPath
) -> QuestionAnswer:
    """With its frozen context."""
    row = entrants.question(caller, question_id)
    known = {name: row[name] for name in QuestionData.model_fields}
    return QuestionAnswer.model_validate({**known, **_queries(request).source_fields()})


@router.put("/forecasts/{question_id}", summary="Your forecast of a question", status_code=201)
def forecast(
    response: Response,
    entrants: EntrantsDependency,
    caller: Caller,
    question_id: QuestionPath,
    body: ForecastRequest,
    *,
    dry_run: Annotated[bool, Query(description="Check everything and store nothing; the status is 200.")] = False,
) -> SealedAnswer:
    """The first forecast is final: it is sealed, a second one is refused with 409. Others see it after the close."""
    sealed = entrants.submit(
        caller, question_id, probability=Decimal(repr(body.probability)), rationale=body.rationale, dry_run=dry_run
    )
    if dry_run:
        response.status_code = 200
    return SealedAnswer(
        forecast_id=sealed.forecast_id or None,
        seal=sealed.seal,
        probability=float(sealed.probability),
        stored=not dry_run,
    )


@operator_router.get("/entrants", summary="Outside agents, with their contacts")
def all_entrants(request: Request, entrants: EntrantsDependency, page: Page) -> EntrantsAnswer:
    """For the operator. `/arena/agents` shows what is public of them."""
    items = [EntrantData.model_validate(row) for row in entrants.all()]
    return EntrantsAnswer(**_queries(request).listing_of("entrants", items, {}, page))


@operator_router.post("/entrants/{entrant_id}/limit", summary="Limit an outside agent")
def limit(
    request: Request, entrants: EntrantsDependency, entrant_id: EntrantPath, body: LimitRequest
) -> EntrantStatusAnswer:
    """Sets the limits that the body names."""
    row = entrants.decide(
        entrant_id, requests_per_minute=body.requests_per_minute, forecasts_per_day=body.forecasts_per_day
    )
    audit(request, "limit_entrant", **row)
    return EntrantStatusAnswer.model_validate(row)


@operator_router.post("/entrants/{entrant_id}/token", summary="Give an outside agent a new token")
def reissue(request: Request, response: Response, entrants: EntrantsDependency, entrant_id: EntrantPath) -> TokenAnswer:
    """For an agent that lost its token, or whose token somebody else has. All its other tokens end at once."""
    token = entrants.reissue(entrant_id)
    audit(request, "reissue_token", entrant_id=entrant_id)
    response.headers.update(NO_STORE)
    return TokenAnswer(token=token)


@operator_router.post("/entrants/{entrant_id}/{decision}", summary="Admit or ban an outside agent")
def decide(
    request: Request,
    entrants: EntrantsDependency,
    entrant_id: EntrantPath,
    decision: Annotated[Literal["admit", "ban"], Path(description="A banned agent can be admitted again.")],
) -> EntrantStatusAnswer:
    """Takes effect with the agent's next request. What it has forecast stays."""
    row = entrants.decide(entrant_id, status="active" if decision == "admit" else "banned")
    audit(request, f"{decision}_entrant", **row)
    return EntrantStatusAnswer.model_validate(row)


def _queries(request: Request) -> PublicQueries:
    queries: PublicQueries = request.app.state.queries
    return queries


def audit(request: Request, command: str, **subject: Any) -> None:
    """Log what changed. Tokens, secrets and claim codes are never part of it."""
    logger().info("entry command", command=command, correlation_id=request.state.correlation_id, **subject)
