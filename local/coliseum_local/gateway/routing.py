"""Chooses the function for a request: by the edge's path patterns first, then by the HTTP API's routes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from coliseum_local.template import Behaviour, LambdaFunction, Route


@dataclass(frozen=True)
class RouteMatch:
    """A function, the route that chose it, and the path parameters the route found."""

    function: LambdaFunction
    route: Route
    parameters: dict[str, str]


def streaming_function(
    behaviours: Iterable[Behaviour], functions: Iterable[LambdaFunction], path: str
) -> LambdaFunction | None:
    """The function whose URL the edge calls for `path`, or None where it calls the HTTP API."""
    target = next((behaviour.function for behaviour in behaviours if fnmatchcase(path, behaviour.pattern)), None)
    return next((function for function in functions if function.logical_id == target), None)


def route(functions: Iterable[LambdaFunction], method: str, path: str) -> RouteMatch | None:
    """The most specific route for the request, as API Gateway chooses: exact before greedy, longer before shorter.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """
    matches = [
        RouteMatch(function, candidate, parameters)
        for function in functions
        for candidate in function.routes
        if candidate.method in {"ANY", method} and (parameters := _parameters(candidate.path, path)) is not None
    ]
    return max(matches, key=_specificity, default=None)


def _specificity(match: RouteMatch) -> tuple[bool, int, bool]:
    return "+}" not in match.route.path, len(match.route.path), match.route.method != "ANY"


def _parameters(pattern: str, path: str) -> dict[str, str] | None:
    """The path parameters; None where the path does not match. API Gateway accepts one slash at the end."""
    parameters = _match_segments(pattern.split("/"), path.split("/"))
    if parameters is None and path.endswith("/"):
        return _match_segments(pattern.split("/"), path[:-1].split("/"))
    return parameters


def _match_segments(pattern: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    """`{name}` takes one segment; `{name+}`, always the last one, takes all that remain. Neither takes nothing."""
    found: dict[str, str] = {}
    for position, part in enumerate(pattern):
        greedy = part.endswith("+}")
        value = "/".join(path[position:]) if greedy else "".join(path[position : position + 1])
        if part.startswith("{"):
            if not value:
                return None
            found[part.strip("{+}")] = value
        elif position >= len(path) or part != value:
            return None
        if greedy:
            return found
    return found if len(path) == len(pattern) else None
