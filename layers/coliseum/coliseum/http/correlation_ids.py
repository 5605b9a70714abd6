"""The correlation id of a request: in its answer, its problems and its log lines. Pure but for new ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

HEADER = "X-Correlation-Id"
_SAFE_ID = re.compile(r"[A-Za-z0-9._=-]{1,64}", re.ASCII)


def correlation_of(headers: Mapping[str, str], event: Mapping[str, Any] | None) -> str:
    """The caller's id where it is safe to log, else API Gateway's, else a new one."""
    gateway = (event or {}).get("requestContext") or {}
    for candidate in (headers.get(HEADER), gateway.get("requestId")):
        if isinstance(candidate, str) and _SAFE_ID.fullmatch(candidate):
            return candidate
    return uuid4().hex
