"""Lua scripts that begin with Upstash's own flag, `#!lua flags=allow-key-locking`.

In the cloud the flag lets a script lock its keys alone instead of everything. The local engine does not know it and
has nothing to lock, so the flag is removed from the script. Redis names a script by the SHA-1 of its text, which
changes with that. Callers keep using the SHA-1 of their own text, and the gateway translates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from coliseum_local.redis.commands import name_of
from coliseum_local.redis.resp import Command, Reply

_SHEBANG = re.compile(rb"#!lua[ \t]+flags=([a-z,-]+)[ \t]*(?=\n|\Z)")
_FLAG = b"allow-key-locking"


def without_flag(script: bytes) -> bytes:
    """The script as the local engine takes it, with as many lines as before."""
    match = _SHEBANG.match(script)
    if match is None or _FLAG not in match[1].split(b","):
        return script
    others = b",".join(flag for flag in match[1].split(b",") if flag != _FLAG)
    return b"#!lua" + (b" flags=" + others if others else b"") + script[match.end() :]


class Scripts:
    """Translates callers' SHA-1 into the engine's. After a restart a caller gets NOSCRIPT once, and loads again."""

    def __init__(self) -> None:
        self._local: dict[bytes, bytes] = {}

    def local(self, command: Command) -> Command:
        """The command as the engine takes it."""
        match (name_of(command), command):
            case ("EVAL" | "EVAL_RO", (_, script, *_)):
                return (command[0], self._learn(script), *command[2:])
            case ("SCRIPT", (_, subcommand, script)) if subcommand.upper() == b"LOAD":
                return (*command[:2], self._learn(script))
            case ("EVALSHA" | "EVALSHA_RO", (_, sha, *_)):
                return (command[0], self._name(sha), *command[2:])
            case ("SCRIPT", (_, subcommand, *shas)) if subcommand.upper() == b"EXISTS":
                return (*command[:2], *map(self._name, shas))
        return command

    def translate_replies(self, commands: Sequence[Command], replies: Sequence[Reply]) -> list[Reply]:
        """The replies, with the SHA-1 that the caller expects for its own text."""
        return [
            _sha(command[2]) if _loads(command) and isinstance(reply, bytes) else reply
            for command, reply in zip(commands, replies, strict=True)
        ]

    def _learn(self, script: bytes) -> bytes:
        changed = without_flag(script)
        if changed is not script:
            self._local[_sha(script)] = _sha(changed)
        return changed

    def _name(self, sha: bytes) -> bytes:
        return self._local.get(sha.lower(), sha)


def _loads(command: Command) -> bool:
    return name_of(command) == "SCRIPT" and len(command) == 3 and command[1].upper() == b"LOAD"


def _sha(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()
