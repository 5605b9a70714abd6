"""Who may send the operator's orders: holders of ADMIN_TOKEN. Without that setting their routes answer 404."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from coliseum.http.routes import settings_of
from coliseum.http.strict_body import StrictBodyRoute

_bearer = HTTPBearer(scheme_name="operator", auto_error=False)


def check_operator(request: Request) -> None:
    """Raises HTTPException 404 if no token is set, 401 if the caller sent another one or none."""
    token = settings_of(request).admin_token
    if token is None:
        raise HTTPException(404)
    scheme, credentials = get_authorization_scheme_param(request.headers.get("Authorization"))
    # Servers decode headers as Latin-1, so this gives the bytes that the caller sent.
    offered = credentials.encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
    if not hmac.compare_digest(offered, token.get_secret_value().encode()):
        raise HTTPException(401, "The operator's token is needed.", {"WWW-Authenticate": "Bearer"})


def operator_only(
    request: Request, documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """`check_operator` as a dependency, so that the document says that the route needs the token."""
    del documented
    check_operator(request)


class OperatorRoute(StrictBodyRoute):
    """A route of the operator. Others learn nothing about its body or parameters."""

    gates = (check_operator,)
