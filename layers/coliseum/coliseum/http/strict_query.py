"""The dependency that makes an unknown or repeated query parameter a 422, on every route of a FastAPI app."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute

from coliseum.http.parameters import parameter_problems


async def known_parameters_only(request: Request) -> None:
    """Raises RequestValidationError that names each parameter which the route does not declare, or takes only once.

    `create_app` adds it to every route. A router whose routes some callers must not see names it itself, behind the
    dependency that hides them.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if not names:
        return
    problems = parameter_problems(names, _declared(request.scope["route"]))
    if problems:
        raise RequestValidationError(
            [{"type": "parameter", "loc": ("query", problem.name), "msg": problem.message} for problem in problems]
        )


def _declared(route: APIRoute) -> frozenset[str]:
    """The names of the route's query parameters, those of its dependencies included. No route takes a list."""
    fields = get_flat_params(route.dependant)
    return frozenset(field.alias for field in fields if _place(field.field_info) is ParamTypes.query)


def _place(parameter: Any) -> ParamTypes | None:
    return getattr(parameter, "in_", None)
