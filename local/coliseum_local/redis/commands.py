"""Which commands Upstash's REST interface takes, and with which token. Pure.

The names follow Upstash's command reference. ACL, CONFIG, WAIT and WAITAOF exist there too but have no meaning
for one local server, so they are refused here: what works locally works in the cloud, not the other way round.
"""

from __future__ import annotations

from coliseum_local.redis.resp import Command


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


READS = _names("""
    GET GETRANGE MGET STRLEN BITCOUNT BITFIELD_RO BITPOS GETBIT
    HEXISTS HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSTRLEN HTTL HVALS
    LINDEX LLEN LPOS LRANGE
    SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER SSCAN SUNION
    ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK
    ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION
    GEODIST GEOHASH GEOPOS GEORADIUS_RO GEORADIUSBYMEMBER_RO GEOSEARCH PFCOUNT
    XINFO XLEN XPENDING XRANGE XREAD XREVRANGE
    EVAL_RO EVALSHA_RO FCALL_RO
    DBSIZE DUMP EXISTS EXPIRETIME MEMORY PEXPIRETIME PTTL RANDOMKEY TOUCH TTL TYPE
    PING ECHO TIME
""")
"""Commands of the read-only token."""

_OTHERS = _names("""
    APPEND DECR DECRBY GETDEL GETEX GETSET INCR INCRBY INCRBYFLOAT MSET MSETNX PSETEX SET SETEX SETNX SETRANGE
    BITFIELD BITOP SETBIT
    HDEL HEXPIRE HEXPIREAT HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET HPERSIST HPEXPIRE HPEXPIREAT HSET HSETEX HSETNX
    LINSERT LMOVE LMPOP LPOP LPUSH LPUSHX LREM LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX
    SADD SDIFFSTORE SINTERSTORE SMOVE SPOP SREM SUNIONSTORE
    ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZMPOP ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK
    ZREMRANGEBYSCORE ZUNIONSTORE
    GEOADD GEORADIUS GEORADIUSBYMEMBER GEOSEARCHSTORE PFADD PFMERGE
    XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XREADGROUP XTRIM
    EVAL EVALSHA SCRIPT FCALL FUNCTION PUBLISH PUBSUB
    COPY DEL EXPIRE EXPIREAT PERSIST PEXPIRE PEXPIREAT RENAME RENAMENX RESTORE UNLINK
    KEYS SCAN COMMAND FLUSHALL FLUSHDB INFO
""")
SUPPORTED = READS | _OTHERS
SCRIPTS = _names("EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO")
"""Commands that run other commands inside, each of which is billed."""
_CLOUD_ONLY = ("DELEX", "DIGEST", "MSETEX", "XACKDEL", "XDELEX", "JSON.", "SEARCH.", "VECTOR.")


def name_of(command: Command) -> str:
    """The command's name in upper case."""
    return command[0].decode(errors="replace").upper()


def refusal(command: Command, *, read_only: bool = False) -> str | None:
    """The error the command earns before it reaches Redis, or None."""
    name = name_of(command)
    if name.startswith(_CLOUD_ONLY):
        return f"ERR '{name}' exists in the cloud but not in the local engine"
    if name not in SUPPORTED or _blocks(name, command):
        return (
            f"ERR Command is not available: '{name}'. "
            "See https://upstash.com/docs/redis/overall/compatibility for details"
        )
    if read_only and name not in READS:
        return f"NOPERM this user has no permissions to run the '{name.lower()}' command"
    return None


def _blocks(name: str, command: Command) -> bool:
    if name not in {"XREAD", "XREADGROUP"}:
        return False
    options = [argument.upper() for argument in command[1:]]
    end = options.index(b"STREAMS") if b"STREAMS" in options else len(options)
    return b"BLOCK" in options[:end]
