"""Running a request's commands against Redis, and counting what the cloud would bill for them."""

from __future__ import annotations

from collections.abc import Sequence

from coliseum_local.redis.backend import Backend
from coliseum_local.redis.commands import name_of, refusal
from coliseum_local.redis.meter import LOOK, Meter, between, is_script
from coliseum_local.redis.resp import Command, Reply, RespError

_MULTI: Command = (b"MULTI",)
_EXEC: Command = (b"EXEC",)


async def pipeline(
    backend: Backend, meter: Meter, commands: Sequence[Command], *, read_only: bool = False
) -> list[Reply]:
    """A reply per command, in order; a refused command does not stop the others. Raises BackendLost."""
    refused = [refusal(command, read_only=read_only) for command in commands]
    accepted = [command for command, why in zip(commands, refused, strict=True) if why is None]
    replies = iter(await _in_order(backend, meter, accepted)) if accepted else iter(())
    return [next(replies) if why is None else RespError(why) for why in refused]


async def transaction(
    backend: Backend, meter: Meter, commands: Sequence[Command], *, read_only: bool = False
) -> list[Reply] | RespError:
    """The replies of one atomic step; one RespError where all of it was discarded. Raises BackendLost."""
    for command in commands:
        why = refusal(command, read_only=read_only)
        if why is not None:
            return RespError(why)
    looks = any(map(is_script, commands))
    inner = [LOOK, *commands, LOOK] if looks else list(commands)
    replies = await backend.exchange([_MULTI, *inner, _EXEC])
    results = replies[-1]
    if not isinstance(results, list):
        return _why_discarded(replies)
    if looks:
        meter.add(between(results[0], results[-1]).elements())
        return results[1:-1]
    meter.add(map(name_of, commands))
    return results


async def _in_order(backend: Backend, meter: Meter, commands: Sequence[Command]) -> list[Reply]:
    sent: list[Command] = []
    for command in commands:
        sent += [_MULTI, LOOK, command, LOOK, _EXEC] if is_script(command) else [command]
    received = iter(await backend.exchange(sent))
    replies: list[Reply] = []
    for command in commands:
        if is_script(command):
            replies.append(_script_reply([next(received) for _ in range(5)], meter, command))
        else:
            replies.append(next(received))
            meter.add([name_of(command)])
    return replies


def _script_reply(replies: list[Reply], meter: Meter, command: Command) -> Reply:
    results = replies[-1]
    if not isinstance(results, list):
        meter.add([name_of(command)])
        return _why_discarded(replies)
    meter.add(between(results[0], results[2]).elements())
    return results[1]


def _why_discarded(replies: Sequence[Reply]) -> RespError:
    """The first command that could not be queued is the reason; EXEC only says that there was one."""
    return next(
        (reply for reply in replies if isinstance(reply, RespError)), RespError("EXECABORT Transaction discarded")
    )
