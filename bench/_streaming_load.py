"""Thousands of clients in one thread: they connect, read, count trades, check their order, and time a sample."""

from __future__ import annotations

import re
import selectors
import socket
import time
from dataclasses import dataclass, field

_TRADE = re.compile(rb'"timestamp": ?([\d.]+).{0,120}?"trade_id": ?"(\d{12})"')
TICKER = "KXHIGHNY-26NOV21-B45"
SAMPLE = 20
"""Every so many-th client is timed and checked; the others only count."""


@dataclass(slots=True)
class Client:
    sock: socket.socket
    timed: bool
    trades: int = 0
    rest: bytes = b""
    next_number: int | None = None


@dataclass
class Load:
    """The clients of one server."""

    port: int
    filters: int = 1
    """Among how many filters the clients are divided; all of them take every trade."""
    clients: list[Client] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    """Seconds from publish to read, of the sample."""
    disorder: int = 0
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def connect(self, count: int) -> None:
        for index in range(count):
            sock = socket.create_connection(("127.0.0.1", self.port))
            sock.sendall(self._request(len(self.clients)))
            sock.setblocking(False)
            client = Client(sock, timed=index % SAMPLE == 0)
            self.clients.append(client)
            self._selector.register(sock, selectors.EVENT_READ, client)
            if index % 50 == 49:
                self.read(0.05)
        self.read(1.0)

    def total(self) -> int:
        return sum(client.trades for client in self.clients)

    def forget(self) -> None:
        """Begin a new measurement."""
        self.delays.clear()
        for client in self.clients:
            client.trades = 0

    def read(self, seconds: float, *, until_total: int | None = None) -> float:
        """Read for so long, or until so many trades have come; how long it took."""
        begin = time.monotonic()
        missing = None if until_total is None else until_total - self.total()
        while (left := begin + seconds - time.monotonic()) > 0 and (missing is None or missing > 0):
            for key, _ in self._selector.select(min(left, 0.1)):
                got = self._take(key.data)
                if missing is not None:
                    missing -= got
        return time.monotonic() - begin

    def close(self) -> None:
        for client in self.clients:
            client.sock.close()
        self._selector.close()

    def _request(self, number: int) -> bytes:
        tickers = f"&tickers={TICKER},OTHER-{number % self.filters}" if self.filters > 1 else ""
        return f"GET /sse/trading?snapshot=none{tickers} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    def _take(self, client: Client) -> int:
        try:
            data = client.sock.recv(1 << 18)
        except BlockingIOError:
            return 0
        if not data:
            self._selector.unregister(client.sock)
            return 0
        now = time.monotonic()
        data = client.rest + data
        cut = data.rfind(b"\n") + 1  # the rest of the last line comes with the next read
        data, client.rest = data[:cut], data[cut:]
        got = data.count(b'"trade_id"')
        client.trades += got
        if client.timed:
            for at, number in _TRADE.findall(data):
                self.delays.append(now - float(at))
                self.disorder += client.next_number is not None and int(number) != client.next_number
                client.next_number = int(number) + 1
        return got


class Stopped:
    """A client that asks and never reads."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._sock.connect(("127.0.0.1", port))
        self._sock.sendall(b"GET /sse/trading?snapshot=none HTTP/1.1\r\nHost: x\r\n\r\n")

    def close(self) -> None:
        self._sock.close()
