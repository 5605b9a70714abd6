"""Who signed a push of the bot: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from standardwebhooks.webhooks import Webhook

from coliseum.errors import NotPermitted

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_ID = re.compile(r"[!-~]{1,200}")
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURES_MAX = 1_000
"""Characters of the header with the signatures: some ten of them."""


class SignatureCheck:
    """Checks requests against one or several secrets. Each of them is good, so that they can be replaced one by one."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = tuple(Webhook(secret) for secret in secrets)

    def require(self, headers: Mapping[str, str], body: bytes) -> str:
        """The request's `webhook-id`. `headers` have names in lower case; `body` is signed byte by byte.

        Raises NotPermitted (401) where a header is missing or malformed, where the time is more than five minutes from
        ours, and where no secret made the signature. The comparison takes constant time.
        """
        values = {name: headers.get(name, "") for name in HEADERS}
        missing = [name for name, value in values.items() if not value]
        if missing:
            raise _refused(f"the header {missing[0]} is missing")
        if not _ID.fullmatch(values["webhook-id"]):
            raise _refused("webhook-id: expected 1 to 200 visible ASCII characters")
        if not _SECONDS.fullmatch(values["webhook-timestamp"]):
            raise _refused("webhook-timestamp: expected unix seconds as a whole number")
        if len(values["webhook-signature"]) > _SIGNATURES_MAX:
            raise _refused(f"webhook-signature: expected at most {_SIGNATURES_MAX} characters")
        problem = "no secret"
        for webhook in self._webhooks:
            try:
                webhook.verify(body, values, json_parse=False)
            except Exception as error:  # noqa: BLE001 - the library raises ValueError and others for forged headers
                problem = str(error) if "timestamp" in str(error) else "no signature was made with a secret known here"
            else:
                return values["webhook-id"]
        raise _refused(problem)


def _refused(problem: str) -> NotPermitted:
    return NotPermitted(401, problem)
