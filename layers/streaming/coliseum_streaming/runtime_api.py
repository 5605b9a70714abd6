"""Lambda's Runtime API, version 2018-06-01: the next event in, a streamed response or an error out.

Written on asyncio's sockets because http.client cannot end a chunked upload with trailers, and an error after the first
byte is reported in trailers. One connection per call, because the connections never leave the machine.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STREAM_TYPE = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = b"\0" * 8
ERROR_TYPE, ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"


@dataclass(frozen=True)
class Invocation:
    """One event to respond to. `deadline` is in unix seconds: the environment is killed then."""

    request_id: str
    deadline: float
    trace_id: str
    event: dict[str, Any]


class RuntimeApi:
    """The Runtime API at `address` (`host:port`, from AWS_LAMBDA_RUNTIME_API)."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port or 80)

    async def next(self) -> Invocation:
        """Wait for an event; Lambda freezes the environment meanwhile. Raises ConnectionError where the API refuses."""
        headers, body = await self._call("GET", "/runtime/invocation/next", b"")
        return Invocation(
            request_id=headers["lambda-runtime-aws-request-id"],
            deadline=int(headers["lambda-runtime-deadline-ms"]) / 1000,
            trace_id=headers.get("lambda-runtime-trace-id", ""),
            event=json.loads(body),
        )

    async def init_error(self, error: BaseException) -> None:
        """Report that the app could not be loaded."""
        await self._report_error("/runtime/init/error", error)

    async def invocation_error(self, request_id: str, error: BaseException) -> None:
        """Report a failure before the first byte of the response; after it, see ResponseStream.finish."""
        await self._report_error(f"/runtime/invocation/{request_id}/error", error)

    async def respond(self, request_id: str, prelude: Mapping[str, Any]) -> ResponseStream:
        """Begin the streamed response with its status and headers."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        headers = {
            "Content-Type": STREAM_TYPE,
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{ERROR_TYPE}, {ERROR_BODY}",
        }
        writer.write(self._head("POST", f"/runtime/invocation/{request_id}/response", headers))
        stream = ResponseStream(reader, writer)
        await stream.write(json.dumps(prelude).encode() + PRELUDE_END)
        return stream

    async def _report_error(self, path: str, error: BaseException) -> None:
        document = _describe(error)
        headers = {"Content-Type": "application/json", ERROR_TYPE: document["errorType"]}
        await self._call("POST", path, json.dumps(document).encode(), headers)

    async def _call(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._head(method, path, {**(headers or {}), "Content-Length": str(len(body))}) + body)
            await writer.drain()
            return await _read_response(reader)
        finally:
            writer.close()

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} /2018-06-01{path} HTTP/1.1", f"Host: {self._host}:{self._port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class ResponseStream:
    """A response that is being sent. Every write is one chunk, sent at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def write(self, data: bytes) -> None:
        """Raises OSError where the Runtime API takes no more bytes."""
        if data:
            self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def finish(self, error: BaseException | None = None) -> None:
        """End the response, as complete or, in trailers, as broken off by `error`."""
        trailers = b""
        if error is not None:
            document = _describe(error)
            encoded = base64.b64encode(json.dumps(document).encode()).decode()
            trailers = f"{ERROR_TYPE}: {document['errorType']}\r\n{ERROR_BODY}: {encoded}\r\n".encode("latin-1")
        try:
            self._writer.write(b"0\r\n" + trailers + b"\r\n")
            await self._writer.drain()
            await _read_response(self._reader)
        finally:
            self._writer.close()


def _describe(error: BaseException) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": f"Runtime.{type(error).__name__}",
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


async def _read_response(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    status_line = await reader.readline()
    if not status_line:
        raise ConnectionError("the Runtime API closed the connection")
    headers: dict[str, str] = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = await _read_body(reader, headers)
    status = int(status_line.split()[1])
    if status >= 300:
        raise ConnectionError(f"the Runtime API answered {status}: {body[:200]!r}")
    return headers, body


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    return b"".join(parts)
