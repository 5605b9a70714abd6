"""API keys of one state folder: an RSA and an Ed25519 pair for the one funded account, made once.

Private keys are files of mode 0600. RSA keys are written in PKCS#1 and Ed25519 keys in PKCS#8, like Kalshi's.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from coliseum_local.exchange.signatures import ApiKey

RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class SandboxCredentials:
    """Key ids and files for a client of this exchange, the registered public keys, and the operator's token."""

    account_id: str
    rsa_key_id: str
    rsa_path: Path
    ed25519_key_id: str
    ed25519_path: Path
    admin_token_path: Path
    admin_token: str
    registered: dict[str, ApiKey]


def load_or_create_credentials(folder: Path) -> SandboxCredentials:
    """Read the keys of `folder`; make them where there are none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names_path, rsa_path = folder / "keys.json", folder / "kalshi-rsa.pem"
    ed25519_path, token_path = folder / "kalshi-ed25519.pem", folder / "admin-token"
    if not names_path.exists():
        rsa = generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        _write(rsa_path, _pem(rsa))
        _write(ed25519_path, _pem(Ed25519PrivateKey.generate()))
        _write(token_path, secrets.token_urlsafe(32).encode())
        names = {name: str(uuid4()) for name in ("account", "rsa", "ed25519")}
        _write(names_path, json.dumps(names).encode())
    names = json.loads(names_path.read_text())
    registered = {}
    for name, path in (("rsa", rsa_path), ("ed25519", ed25519_path)):
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(private, RSAPrivateKey | Ed25519PrivateKey)
        registered[names[name]] = ApiKey(names[name], names["account"], private.public_key())
    return SandboxCredentials(
        account_id=names["account"],
        rsa_key_id=names["rsa"],
        rsa_path=rsa_path,
        ed25519_key_id=names["ed25519"],
        ed25519_path=ed25519_path,
        admin_token_path=token_path,
        admin_token=token_path.read_text().strip(),
        registered=registered,
    )


def _pem(key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    form = (
        serialization.PrivateFormat.TraditionalOpenSSL
        if isinstance(key, RSAPrivateKey)
        else serialization.PrivateFormat.PKCS8
    )
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read. A crash leaves the old file or the new one, never half of one."""
    draft = path.with_suffix(path.suffix + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
