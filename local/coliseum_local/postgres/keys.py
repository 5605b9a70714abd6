"""The secrets of this installation: made at random once, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Literal

Role = Literal["anon", "service_role"]


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    secret_key: str
    publishable_key: str
    password: str
    """Of the embedded database's superuser and of its gateway's login."""

    def role_of(self, key: str) -> Role | None:
        """The database role a key stands for. Compares in constant time."""
        offered = key.encode()
        if compare_digest(offered, self.secret_key.encode()):
            return "service_role"
        return "anon" if compare_digest(offered, self.publishable_key.encode()) else None


def keys_of(state: Path) -> Keys:
    """The keys of this install, made on first use."""
    path = state / "keys.json"
    if not path.exists():
        fresh = Keys(
            secret_key=f"sb_secret_{secrets.token_urlsafe(24)}",
            publishable_key=f"sb_publishable_{secrets.token_urlsafe(24)}",
            password=secrets.token_urlsafe(24),
        )
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(fresh), file)
        draft.replace(path)
    return Keys(**json.loads(path.read_text()))
