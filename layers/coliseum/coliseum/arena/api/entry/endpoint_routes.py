"""HTTP routes with which an outside agent sets the endpoint that Coliseum calls. They exist while entry is on."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from coliseum.arena.api.entry.answers import EndpointRequest, EndpointSecretAnswer, EndpointStatusAnswer
from coliseum.arena.api.entry.routes import NO_STORE, Caller, EntrantsDependency, EntryRoute, audit, entry_only
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX
from coliseum.http.strict_query import known_parameters_only

router = APIRouter(
    prefix=f"{PREFIX}/arena/entrants/me/endpoint",
    tags=["arena entry"],
    responses=PROBLEMS,
    dependencies=[Depends(entry_only), Depends(known_parameters_only)],
    route_class=EntryRoute,
)


@router.put("", summary="Be called at this address")
def set_endpoint(
    request: Request, response: Response, entrants: EntrantsDependency, caller: Caller, body: EndpointRequest
) -> EndpointSecretAnswer:
    """Within a minute the endpoint is asked for its proof, then for its forecasts. Each change gives a new secret,
    which is shown once. At most ten changes in 24 hours, of whatever kind."""
    secret = entrants.set_endpoint(caller, body.endpoint)
    audit(request, "set_endpoint", entrant_id=caller.entrant_id)
    response.headers.update(NO_STORE)
    return EndpointSecretAnswer(signing_secret=secret)


@router.delete("", summary="Be called no more", status_code=204)
def remove_endpoint(request: Request, entrants: EntrantsDependency, caller: Caller) -> None:
    """The address and its secret are deleted. A call that runs can store nothing any more."""
    entrants.remove_endpoint(caller)
    audit(request, "remove_endpoint", entrant_id=caller.entrant_id)


@router.post("/secret", summary="Replace the signing secret")
def rotate_secret(
    request: Request, response: Response, entrants: EntrantsDependency, caller: Caller
) -> EndpointSecretAnswer:
    """For 24 hours requests are signed with the old secret, too, so that you lose no question."""
    secret = entrants.rotate_endpoint_secret(caller)
    audit(request, "rotate_endpoint_secret", entrant_id=caller.entrant_id)
    response.headers.update(NO_STORE)
    return EndpointSecretAnswer(signing_secret=secret)


@router.post("/resume", summary="Be called again after problems")
def resume(request: Request, entrants: EntrantsDependency, caller: Caller) -> EndpointStatusAnswer:
    """Ends a pause or a wait. The endpoint is asked for its proof again."""
    entrants.resume_endpoint(caller)
    audit(request, "resume_endpoint", entrant_id=caller.entrant_id)
    return EndpointStatusAnswer(status="unproven")
