"""The table of attacks: where would the client connect to, and what ends an answer that never does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from tests.fixtures.secure_server import PUBLIC, Dial, Talk, answering, certificate, secure_server
from tests.unit.outbound.test_addresses import PRIVATE

from coliseum.errors import (
    ColiseumError,
    InvalidInput,
    SourceError,
    SourceMalformed,
    SourceRefused,
    SourceUnavailable,
)
from coliseum.outbound.client import Outbound, OutboundAnswer, OutboundRequest
from coliseum.outbound.local_names import add_local_name, remove_local_name

NAME = "feeds.example.com"
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "v1"\r\n\r\nhello'


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), NAME)


def ask(
    talk: Talk,
    pem: Path,
    *,
    dial: Dial | None = None,
    addresses: Sequence[str] = (PUBLIC,),
    url: str = f"https://{NAME}/feed",
    seconds: float = 20.0,
    most_bytes: int = 1000,
    redirects: int = 0,
) -> OutboundAnswer:
    """One request to a server on this machine that has `NAME`'s certificate."""

    async def run() -> OutboundAnswer:
        async with secure_server(talk, pem) as port:
            way = dial or Dial()
            way.port, way.trusted = port, way.trusted or pem
            async with Outbound(resolve=lambda name: addresses, transport=way) as outbound:
                return await outbound.send(
                    OutboundRequest(url=url, seconds=seconds, most_bytes=most_bytes, redirects=redirects)
                )

    return asyncio.run(run())


def test_a_public_server_answers_over_tls_under_its_name(pem: Path) -> None:
    dial = Dial()
    answer = ask(answering(OK), pem, dial=dial)
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"hello", '"v1"')
    assert (dial.dialled, dial.names) == ([f"{PUBLIC}:443"], [NAME])


def test_a_certificate_for_another_name_is_refused(pem: Path, tmp_path: Path) -> None:
    other = certificate(tmp_path, "other.example.com")
    with pytest.raises(SourceUnavailable, match="certificate"):
        ask(answering(OK), other)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_with_an_address_that_is_not_public_is_never_dialled(address: str, pem: Path) -> None:
    dial = Dial()
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(SourceRefused, match="not public"):
            ask(answering(OK), pem, dial=dial, addresses=addresses)
    assert dial.dialled == []


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "127.1", "[::1]", "localhost", "0x7f000001"])
def test_an_address_in_the_url_is_refused_before_any_look_up(host: str, pem: Path) -> None:
    dial = Dial()
    with pytest.raises(InvalidInput):
        ask(answering(OK), pem, dial=dial, url=f"https://{host}/")
    assert dial.dialled == []


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_address(pem: Path) -> None:
    answers: Iterator[list[str]] = iter([[PUBLIC], ["127.0.0.1"]])
    dial = Dial()

    async def run() -> OutboundAnswer:
        async with secure_server(answering(OK), pem) as port:
            dial.port, dial.trusted = port, pem
            async with Outbound(resolve=lambda name: next(answers), transport=dial) as outbound:
                return await outbound.send(OutboundRequest(url=f"https://{NAME}/", seconds=20, most_bytes=9))

    assert asyncio.run(run()).status == 200
    assert dial.dialled == [f"{PUBLIC}:443"]
    assert next(answers) == ["127.0.0.1"]


def test_an_address_that_does_not_accept_gives_way_to_the_next_one(pem: Path) -> None:
    async def run() -> list[str]:
        dial = Dial(port=1, trusted=pem)
        async with Outbound(resolve=lambda name: ["8.8.8.8", "8.8.4.4"], transport=dial) as outbound:
            with pytest.raises(SourceUnavailable, match="no connection"):
                await outbound.send(OutboundRequest(url=f"https://{NAME}/", seconds=20, most_bytes=9))
        return dial.dialled

    assert asyncio.run(run()) == ["8.8.8.8:443", "8.8.4.4:443"]


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"


def test_redirects_are_answers_unless_they_are_asked_for(pem: Path) -> None:
    answer = ask(answering(REDIRECT % b"https://other.example.com/"), pem)
    assert answer.status == 302


@pytest.mark.parametrize(
    "location",
    [b"http://feeds.example.com/", b"https://127.0.0.1/", b"//169.254.169.254/latest", b"file:///etc/passwd"],
)
def test_a_redirect_to_what_may_not_be_called_is_not_followed(location: bytes, pem: Path) -> None:
    dial = Dial()
    with pytest.raises(SourceRefused, match="redirect"):
        ask(answering(REDIRECT % location), pem, dial=dial, redirects=3)
    assert len(dial.dialled) == 1


def test_a_redirect_to_a_name_inside_is_looked_up_and_refused(pem: Path) -> None:
    async def run() -> list[str]:
        async with secure_server(answering(REDIRECT % b"https://inside.example.com/"), pem) as port:
            dial = Dial(port=port, trusted=pem)

            def resolve(name: str) -> list[str]:
                return ["10.0.0.1"] if name.startswith("inside") else [PUBLIC]

            async with Outbound(resolve=resolve, transport=dial) as outbound:
                with pytest.raises(SourceRefused, match="private"):
                    await outbound.send(OutboundRequest(url=f"https://{NAME}/", seconds=20, most_bytes=9, redirects=3))
            return dial.dialled

    assert asyncio.run(run()) == [f"{PUBLIC}:443"]


def test_a_circle_of_redirects_ends(pem: Path) -> None:
    dial = Dial()
    with pytest.raises(SourceRefused, match="more than 2 redirects"):
        ask(answering(REDIRECT % b"/again"), pem, dial=dial, redirects=2)
    assert len(dial.dialled) == 3


async def _drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("talk", [_drip_head, _drip_body, _silence])
def test_an_answer_that_does_not_end_is_ended_by_the_deadline(talk: Talk, pem: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"within 0\.5 s"):
        ask(talk, pem, seconds=0.5)


def test_a_look_up_that_hangs_is_left_at_the_deadline(pem: Path) -> None:
    async def run() -> None:
        hanging = asyncio.Event()
        loop = asyncio.get_running_loop()

        def resolve(name: str) -> list[str]:
            asyncio.run_coroutine_threadsafe(hanging.wait(), loop).result()
            return [PUBLIC]

        async with Outbound(resolve=resolve, transport=Dial()) as outbound:
            with pytest.raises(SourceUnavailable, match="no whole answer"):
                await outbound.send(OutboundRequest(url=f"https://{NAME}/", seconds=0.2, most_bytes=9))
        hanging.set()
        await asyncio.sleep(0)

    asyncio.run(run())


def test_a_name_that_does_not_exist_is_unavailable() -> None:
    def resolve(name: str) -> list[str]:
        raise OSError("no such name")

    async def run() -> None:
        async with Outbound(resolve=resolve, transport=Dial()) as outbound:
            await outbound.send(OutboundRequest(url=f"https://{NAME}/", seconds=9, most_bytes=9))

    with pytest.raises(SourceUnavailable, match="no such name"):
        asyncio.run(run())


LARGE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"." * 1001,
    b"HTTP/1.1 200 OK\r\n\r\n" + b"." * 5000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"ff\r\n"
    + b"." * 255
    + b"\r\n"
    + b"fff\r\n"
    + b"." * 4095,
]


@pytest.mark.parametrize("answer", LARGE)
def test_a_body_over_the_limit_is_refused_however_it_is_announced(answer: bytes, pem: Path) -> None:
    with pytest.raises(SourceMalformed, match="more than 1000 bytes"):
        ask(answering(answer), pem)


def test_a_body_of_exactly_the_limit_passes(pem: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"." * 1000
    assert len(ask(answering(answer), pem).body) == 1000


def test_a_compressed_body_is_refused(pem: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    with pytest.raises(SourceMalformed, match="uncompressed"):
        ask(answering(answer), pem)


@pytest.mark.parametrize(
    "answer",
    [b"", b"not http\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"HTTP/1.1 200 OK\r\n" * 9],
)
def test_a_broken_answer_is_unavailable(answer: bytes, pem: Path) -> None:
    with pytest.raises(ColiseumError):
        ask(answering(answer), pem)


PIECES = (
    b"\r\n", b"\n", b"\x00", b"Content-Length: 5\r\n", b"Content-Encoding: br\r\n", b"Set-Cookie: \xff\xfe\r\n",
    b"Location: http://[::1\r\n", b"Content-Type: text/html; charset=\xff\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n\r\n", b"Transfer-Encoding: chunked\r\n", b"-1\r\n", b"\xff\xff\r\n",
)  # fmt: skip


def mutilated(chance: Random) -> bytes:
    """An answer after one to six random changes."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
    answer = bytearray(chance.choice([OK, chunked]))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(answer) + 1)
        match chance.randrange(4):
            case 0:
                answer[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del answer[place : place + chance.randint(1, 10)]
            case 2:
                answer[place:place] = chance.choice(PIECES)
            case _:
                answer[place:place] = answer[: chance.randint(0, 60)]
    return bytes(answer)


def test_whatever_a_server_sends_is_an_answer_or_one_of_our_errors() -> None:
    chance = Random(7)
    sent = b""
    outcomes: Counter[str] = Counter()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    async def run() -> None:
        nonlocal sent
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        add_local_name("fuzz.coliseum.test", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            async with Outbound(resolve=lambda name: []) as outbound:
                for _ in range(400):
                    sent = mutilated(chance)
                    request = OutboundRequest(url="https://fuzz.coliseum.test/", seconds=20, most_bytes=1000)
                    try:
                        outcomes["answered"] += len((await outbound.send(request)).body) <= 1000
                    except SourceError:
                        outcomes["refused"] += 1
        finally:
            remove_local_name("fuzz.coliseum.test")
            server.close()

    asyncio.run(run())
    assert outcomes.total() == 400
    assert min(outcomes["answered"], outcomes["refused"]) > 20


def test_no_connection_is_kept_for_another_name_at_the_same_address(pem: Path, tmp_path: Path) -> None:
    """TLS checked the first name only, so a kept connection would let a server answer for a name that it has not."""

    async def run() -> None:
        async with secure_server(answering(OK), pem) as port:
            dial = Dial(port=port, trusted=pem)
            async with Outbound(resolve=lambda name: [PUBLIC], transport=dial) as outbound:
                assert (await outbound.send(OutboundRequest(url=f"https://{NAME}/", seconds=20, most_bytes=9))).status
                with pytest.raises(SourceUnavailable, match="certificate"):
                    await outbound.send(OutboundRequest(url="https://other.example.com/", seconds=20, most_bytes=9))

    asyncio.run(run())


def test_no_cookie_is_kept_for_another_name_at_the_same_address() -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: id=mine; Path=/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        names = ("one.coliseum.test", "two.coliseum.test")
        try:
            async with Outbound(resolve=lambda name: []) as outbound:
                for name in names:
                    add_local_name(name, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
                    await outbound.send(OutboundRequest(url=f"https://{name}/", seconds=20, most_bytes=9))
        finally:
            for name in names:
                remove_local_name(name)
            server.close()

    asyncio.run(run())
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


def test_an_url_that_may_hold_a_key_is_not_logged(pem: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        ask(answering(OK), pem, url=f"https://{NAME}/feed?key=hidden")
    assert "hidden" not in caplog.text


def test_a_local_name_leads_to_the_server_of_this_machine() -> None:
    async def run() -> bytes:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answering(OK)(reader, writer)
            writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        add_local_name("feeds.coliseum.test", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            async with Outbound(resolve=lambda name: []) as outbound:
                request = OutboundRequest(url="https://feeds.coliseum.test/x", seconds=20, most_bytes=9)
                return (await outbound.send(request)).body
        finally:
            remove_local_name("feeds.coliseum.test")
            server.close()

    assert asyncio.run(run()) == b"hello"
