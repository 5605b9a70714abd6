from __future__ import annotations

import pytest

from coliseum_local.redis.commands import READS, SUPPORTED, refusal


def _command(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode().split())


@pytest.mark.parametrize("text", ["SET a 1", "get a", "XREAD COUNT 1 STREAMS s 0", "EVAL x 0", "PUBLISH c m", "PING"])
def test_what_the_cloud_takes_is_taken(text: str) -> None:
    assert refusal(_command(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "BLPOP q 0", "BRPOP q 0", "BRPOPLPUSH a b 0", "BLMOVE a b LEFT LEFT 0", "BZPOPMIN z 0", "BLMPOP 0 1 q LEFT",
        "XREAD BLOCK 0 STREAMS s $", "xread count 1 block 10 streams s 0", "XREADGROUP GROUP g c BLOCK 1 STREAMS s >",
        "WATCH k", "UNWATCH", "MULTI", "EXEC", "DISCARD", "SELECT 1", "AUTH x", "HELLO 3", "CLIENT LIST", "QUIT",
        "RESET", "SUBSCRIBE c", "PSUBSCRIBE p", "MONITOR", "CONFIG GET *", "ACL WHOAMI", "SHUTDOWN", "DEBUG SLEEP 1",
        "REPLICAOF a 1", "SWAPDB 0 1", "WAIT 1 0", "CLUSTER INFO", "NOSUCH",
    ],
)  # fmt: skip
def test_what_the_cloud_refuses_is_refused(text: str) -> None:
    assert (refusal(_command(text)) or "").startswith("ERR Command is not available: '")


def test_block_as_a_streams_name_is_no_option() -> None:
    assert refusal(_command("XREAD STREAMS BLOCK 0")) is None


def test_commands_that_only_the_cloud_has_say_so() -> None:
    assert "not in the local engine" in (refusal(_command("JSON.GET k")) or "")


@pytest.mark.parametrize("text", ["SET a 1", "DEL a", "SCAN 0", "KEYS *", "EVAL x 0", "PUBLISH c m", "FLUSHALL"])
def test_the_read_only_token_may_not_write_nor_list_keys(text: str) -> None:
    assert (refusal(_command(text), read_only=True) or "").startswith("NOPERM")


def test_the_read_only_token_may_read() -> None:
    assert refusal(_command("XRANGE s - +"), read_only=True) is None
    assert READS < SUPPORTED
