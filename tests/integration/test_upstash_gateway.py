"""The gateway's behaviour, row by row as Upstash documents its REST protocol; with raw HTTP and the real SDK."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.fixtures.redis import RedisServer
from upstash_redis import Redis as Sdk
from upstash_redis.errors import UpstashError

from coliseum_local.redis.commands import READS
from coliseum_local.redis.requests import BODY_LIMIT


@pytest.fixture
def http(redis_server: RedisServer) -> httpx.Client:
    return redis_server.admin


@pytest.fixture
def sdk(redis_server: RedisServer) -> Iterator[Sdk]:
    with Sdk(redis_server.url, redis_server.token, rest_retries=0) as client:
        yield client


def test_a_command_in_the_body(http: httpx.Client, prefix: str) -> None:
    answer = http.post("/", json=["SET", f"{prefix}k", "v", "EX", 100])
    assert (answer.status_code, answer.json()) == (200, {"result": "OK"})
    assert http.post("/", json=["TTL", f"{prefix}k"]).json() == {"result": 100}


def test_numbers_are_taken_as_they_were_written(http: httpx.Client, prefix: str) -> None:
    http.post("/", content=f'["SET","{prefix}k",1.50]')
    assert http.post("/", json=["GET", f"{prefix}k"]).json() == {"result": "1.50"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_command_in_the_path(http: httpx.Client, prefix: str, method: str) -> None:
    assert http.request(method, f"/set/{prefix}k/v%2F1/EX/100").json() == {"result": "OK"}
    assert http.request(method, f"/get/{prefix}k").json() == {"result": "v/1"}


def test_a_head_request_has_no_body(http: httpx.Client) -> None:
    answer = http.head("/ping")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_body_is_the_last_argument_and_the_query_follows(http: httpx.Client, prefix: str) -> None:
    assert http.post(f"/set/{prefix}k?EX=100", content=b'{"a":1}').json() == {"result": "OK"}
    assert http.get(f"/get/{prefix}k").json() == {"result": '{"a":1}'}
    assert http.get(f"/ttl/{prefix}k").json() == {"result": 100}


def test_other_methods_are_not_allowed(http: httpx.Client) -> None:
    answer = http.delete("/get/k")
    assert answer.status_code == 405
    assert "error" in answer.json()


def test_a_command_error_is_400(http: httpx.Client, prefix: str) -> None:
    http.post("/", json=["SET", f"{prefix}k", "v"])
    answer = http.post("/", json=["INCR", f"{prefix}k"])
    assert (answer.status_code, answer.json()) == (400, {"error": "ERR value is not an integer or out of range"})
    assert http.get("/get").json() == {"error": "ERR wrong number of arguments for 'get' command"}


@pytest.mark.parametrize("content", ["", "[", '{"a":1}', "[]", '["GET",null]'])
def test_a_syntax_error_is_400(http: httpx.Client, content: str) -> None:
    answer = http.post("/", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
@pytest.mark.parametrize("path", ["/get/k", "/pipeline", "/multi-exec", "/subscribe/c", "/_meter", "/_faults"])
def test_without_a_valid_token_nothing_is_served(redis_server: RedisServer, headers: dict[str, str], path: str) -> None:
    answer = httpx.get(redis_server.url + path, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "WRONGPASS invalid or missing auth token"})


def test_the_token_may_come_as_a_parameter(redis_server: RedisServer) -> None:
    assert httpx.get(f"{redis_server.url}/echo/hi?_token={redis_server.token}").json() == {"result": "hi"}


def test_a_pipeline_answers_each_command(http: httpx.Client, prefix: str) -> None:
    answer = http.post(
        "/pipeline",
        json=[["SET", f"{prefix}k", "v"], ["INCR", f"{prefix}k"], ["BLPOP", "q", 0], ["GET", f"{prefix}k"]],
    )
    assert answer.status_code == 200
    first, second, third, fourth = answer.json()
    assert (first, fourth) == ({"result": "OK"}, {"result": "v"})
    assert second["error"].startswith("ERR value is not an integer")
    assert third["error"].startswith("ERR Command is not available: 'BLPOP'")


def test_a_transaction_answers_each_command_and_rolls_nothing_back(http: httpx.Client, prefix: str) -> None:
    answer = http.post("/multi-exec", json=[["SET", f"{prefix}k", "v"], ["INCR", f"{prefix}k"], ["GET", f"{prefix}k"]])
    assert answer.status_code == 200
    assert [list(item) for item in answer.json()] == [["result"], ["error"], ["result"]]


@pytest.mark.parametrize("command", [["GET"], ["NOSUCH"], ["WATCH", "k"], ["EVAL", "return 1"]])
def test_a_discarded_transaction_is_one_error_and_does_nothing(
    http: httpx.Client, prefix: str, command: list[str]
) -> None:
    answer = http.post("/multi-exec", json=[["SET", f"{prefix}k", "v"], command])
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert http.get(f"/get/{prefix}k").json() == {"result": None}


@pytest.mark.parametrize("path", ["/pipeline", "/multi-exec"])
def test_an_empty_batch_is_refused(http: httpx.Client, path: str) -> None:
    assert http.post(path, json=[]).status_code == 400


def test_transactions_of_many_clients_do_not_mix(http: httpx.Client, prefix: str) -> None:
    """Each doubles and halves: seen from inside any transaction the value never rests at two."""
    http.post("/", json=["SET", f"{prefix}k", 1])
    steps = [["INCR", f"{prefix}k"], ["GET", f"{prefix}k"], ["DECR", f"{prefix}k"], ["GET", f"{prefix}k"]]

    def run(_: int) -> list[object]:
        return [item["result"] for item in http.post("/multi-exec", json=steps).json()]

    with ThreadPoolExecutor(8) as pool:
        assert all(result == [2, "2", 1, "1"] for result in pool.map(run, range(64)))


def test_base64_encodes_every_string_but_ok(http: httpx.Client, prefix: str) -> None:
    headers = {"Upstash-Encoding": "base64"}
    http.post(f"/set/{prefix}k", content=b"\x00\xff")
    assert http.get(f"/set/{prefix}j/v", headers=headers).json() == {"result": "OK"}
    answer = http.get(f"/mget/{prefix}k/{prefix}none", headers=headers).json()
    assert answer == {"result": [base64.b64encode(b"\x00\xff").decode(), None]}
    assert http.get(f"/get/{prefix}k").json() == {"result": "\x00\ufffd"}


def test_resp2_answers_as_redis_would(http: httpx.Client, prefix: str) -> None:
    headers = {"Upstash-Response-Format": "resp2"}
    http.get(f"/set/{prefix}k/bar")
    answer = http.get(f"/get/{prefix}k", headers=headers)
    assert (answer.content, answer.headers["content-type"]) == (b"$3\r\nbar\r\n", "application/octet-stream")
    batch = http.post("/pipeline", json=[["PING"], ["GET", f"{prefix}none"]], headers=headers)
    assert batch.content == b"+PONG\r\n$-1\r\n"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Upstash-Response-Format": "xml"}),
        ("/", {"Upstash-Response-Format": "resp2", "Upstash-Encoding": "base64"}),
        ("/multi-exec", {"Upstash-Response-Format": "resp2"}),
    ],
)
def test_impossible_response_forms_are_refused(http: httpx.Client, path: str, headers: dict[str, str]) -> None:
    body = [["PING"]] if path == "/multi-exec" else ["PING"]
    assert http.post(path, json=body, headers=headers).status_code == 400


def test_every_answer_carries_a_sync_token(http: httpx.Client) -> None:
    tokens = [int(http.get("/ping").headers["Upstash-Sync-Token"]) for _ in range(3)]
    assert tokens == sorted(set(tokens))


def test_a_request_above_ten_megabytes_is_refused(http: httpx.Client, prefix: str) -> None:
    answer = http.post(f"/set/{prefix}k", content=b"x" * (BODY_LIMIT + 1))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("ERR max request size exceeded")


def test_the_read_only_token_reads_and_nothing_else(redis_server: RedisServer, http: httpx.Client, prefix: str) -> None:
    http.get(f"/set/{prefix}k/v")
    with httpx.Client(
        base_url=redis_server.url, headers={"Authorization": f"Bearer {redis_server.read_only_token}"}
    ) as reader:
        assert reader.get(f"/get/{prefix}k").json() == {"result": "v"}
        for command in (["SET", f"{prefix}k", "x"], ["SCAN", 0], ["KEYS", "*"], ["EVAL", "return 1", 0]):
            answer = reader.post("/", json=command)
            assert (answer.status_code, answer.json()["error"][:6]) == (400, "NOPERM")
        assert reader.post("/multi-exec", json=[["SET", f"{prefix}k", "x"]]).status_code == 400
        assert reader.post("/pipeline", json=[["DEL", f"{prefix}k"]]).json()[0]["error"].startswith("NOPERM")
        assert reader.get("/_meter").status_code == 401
        assert reader.post("/subscribe/c").status_code == 400
        write = "return redis.call('SET', KEYS[1], 'x')"
        assert reader.post("/", json=["EVAL_RO", write, 1, f"{prefix}k"]).status_code == 400
    assert http.get(f"/get/{prefix}k").json() == {"result": "v"}


def test_every_command_of_the_read_only_token_is_one_that_redis_calls_read_only(http: httpx.Client) -> None:
    stateless = {"PING", "ECHO", "TIME"}
    names = sorted(READS - stateless - {"XINFO", "MEMORY"})  # containers: their parts carry the flags
    described = http.post("/", json=["COMMAND", "INFO", *names]).json()["result"]
    unknown = [name for name, entry in zip(names, described, strict=True) if not entry]
    assert unknown == []
    assert [entry[0] for entry in described if "readonly" not in entry[2]] == []


def test_a_script_with_the_clouds_locking_flag_runs_under_the_name_of_its_text(
    http: httpx.Client, sdk: Sdk, prefix: str
) -> None:
    script = "#!lua flags=allow-key-locking\nredis.call('SET', KEYS[1], ARGV[1])\nreturn redis.call('GET', KEYS[1])"
    sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    assert http.post("/", json=["EVAL", script, 1, f"{prefix}k", "v"]).json() == {"result": "v"}
    assert sdk.evalsha(sha, keys=[f"{prefix}k"], args=["w"]) == "w"
    assert sdk.script_load(script) == sha
    assert sdk.script_exists(sha) == [True]
    inside = http.post("/multi-exec", json=[["SCRIPT", "LOAD", script], ["EVALSHA", sha, 1, f"{prefix}k", "x"]])
    assert [item["result"] for item in inside.json()] == [sha, "x"]


def test_monitor_says_what_to_use_instead(http: httpx.Client) -> None:
    assert "/_meter" in http.post("/monitor").json()["error"]


@pytest.mark.parametrize(
    "command",
    [
        ["XREAD", "BLOCK", 10, "STREAMS", "s", "$"],
        ["XADD", "s", "IDMP", "producer", "1", "*", "f", "v"],
        ["SELECT", 1],
        ["CLIENT", "LIST"],
        ["CONFIG", "GET", "*"],
    ],
)
def test_what_the_cloud_lacks_fails_here_too(http: httpx.Client, command: list[object]) -> None:
    assert http.post("/", json=command).status_code == 400


# --- the real SDK ---


def test_the_sdk_reads_and_writes_every_shape(sdk: Sdk, prefix: str) -> None:
    assert sdk.set(f"{prefix}k", "é,\u2028", ex=100)
    assert sdk.get(f"{prefix}k") == "é,\u2028"
    assert sdk.hset(f"{prefix}h", values={"a": 1, "b": "2"}) == 2
    assert sdk.hgetall(f"{prefix}h") == {"a": "1", "b": "2"}
    assert sdk.zadd(f"{prefix}z", {"m": 1.5}) == 1
    assert sdk.zscore(f"{prefix}z", "m") == 1.5
    first = sdk.xadd(f"{prefix}s", "*", {"f": "v"})
    rows: object = sdk.xrange(f"{prefix}s")
    assert rows == [[first, ["f", "v"]]]
    streams: object = sdk.xread({f"{prefix}s": "0"}, count=1)
    assert streams == [[f"{prefix}s", [[first, ["f", "v"]]]]]


def test_the_sdk_runs_scripts_pipelines_and_transactions(sdk: Sdk, prefix: str) -> None:
    assert sdk.eval("return {KEYS[1], ARGV[1], 7}", keys=["a"], args=["b"]) == ["a", "b", 7]
    batch, step = sdk.pipeline(), sdk.multi()
    batch.set(f"{prefix}k", 1)
    batch.incr(f"{prefix}k")
    assert batch.exec() == [True, 2]
    step.incr(f"{prefix}k")
    step.get(f"{prefix}k")
    assert step.exec() == [3, "3"]


def test_the_sdk_sees_errors_as_the_cloud_sends_them(sdk: Sdk) -> None:
    with pytest.raises(UpstashError, match="NOSCRIPT"):
        sdk.evalsha("f" * 40)
    with pytest.raises(UpstashError, match="Command is not available: 'WATCH'"):
        sdk.execute(["WATCH", "k"])


def test_the_sdk_keeps_the_sync_token(sdk: Sdk) -> None:
    sdk.ping()
    assert int(sdk._sync_token) > 0
