"""Checks the bodies of requests before they are parsed, because the JSON parser is more lenient than the API.

It would keep the last of two equal keys, and accept NaN, Infinity and half characters. A router uses these checks with
`APIRouter(route_class=StrictBodyRoute)`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from coliseum.json_objects import MAX_DEPTH, RepeatedKey, json_problem, strict_json

MAX_BODY_BYTES = 32_768


class StrictRequest(BaseModel):
    """Base of the bodies of requests. Nothing is converted: "0.5" is no number. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StrictBodyRoute(APIRoute):
    """A route whose body is refused with 413 or 422 where it is too long or not plain JSON.

    `gates` are called before the body is read and raise for callers who must learn nothing about the route.
    """

    gates: ClassVar[tuple[Callable[[Request], None], ...]] = ()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def checked(request: Request) -> Response:
            for gate in self.gates:
                gate(request)
            if request.method in {"POST", "PUT", "PATCH"}:
                length = request.headers.get("Content-Length", "")
                if length.isascii() and length.isdigit() and int(length[:12]) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"A body has at most {MAX_BODY_BYTES} bytes.")
                body = await _read(request)
                check_body(body)
                request = Request(request.scope, _receive(body))
            return await answer(request)

        return checked


async def _read(request: Request) -> bytes:
    """The body. Raises HTTPException 413 as soon as it is too long: without a length a body may have no end."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"A body has at most {MAX_BODY_BYTES} bytes.")
        parts.append(part)
    return b"".join(parts)


def _receive(body: bytes) -> Callable[[], Coroutine[Any, Any, dict[str, Any]]]:
    """The body once more, for the parser."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def check_body(body: bytes) -> None:
    """Raises HTTPException 413 for a long body and RequestValidationError for what is not plain JSON.

    An empty body passes: the route says whether it needs one. The messages never repeat the body.
    """
    if len(body) > MAX_BODY_BYTES:
        raise HTTPException(413, f"A body has at most {MAX_BODY_BYTES} bytes.")
    if not body:
        return
    try:
        value = strict_json(body)
        problem = json_problem(value)
    except RecursionError:
        problem = f"at most {MAX_DEPTH} levels of objects and lists are allowed"
    except UnicodeDecodeError:
        problem = "the body must be UTF-8"
    except RepeatedKey:
        problem = "a key occurs twice in an object"
    except ValueError:
        problem = "the body must be JSON"
    if problem is not None:
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": problem, "input": None}])
