"""The event stream's parser as the HTML standard words it, step by step: what every client must understand.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dispatched:
    """An event as a page sees it."""

    type: str
    data: str
    last_event_id: str


@dataclass
class Interpreter:
    """Fed characters one by one after decoding; slow and plain on purpose."""

    dispatched: list[Dispatched] = field(default_factory=list)
    reconnection_ms: int | None = None
    last_event_id: str = ""
    _line: str = ""
    _saw_cr: bool = False
    _data: str = ""
    _type: str = ""
    _id: str = ""

    def read(self, stream: bytes) -> Interpreter:
        """Read on. A stream that ends here has dispatched what is in `dispatched`; the rest is discarded."""
        for character in stream.decode("utf-8", "replace").removeprefix("\ufeff"):
            self._character(character)
        return self

    def _character(self, character: str) -> None:
        if self._saw_cr and character == "\n":
            self._saw_cr = False
            return
        self._saw_cr = character == "\r"
        if character in "\r\n":
            self._end_of_line()
        else:
            self._line += character

    def _end_of_line(self) -> None:
        line, self._line = self._line, ""
        if line == "":
            self._dispatch()
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            self._field(name, value[1:] if value.startswith(" ") else value)

    def _field(self, name: str, value: str) -> None:
        if name == "event":
            self._type = value
        elif name == "data":
            self._data += value + "\n"
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry" and value and all(digit in "0123456789" for digit in value):
            self.reconnection_ms = int(value)

    def _dispatch(self) -> None:
        self.last_event_id = self._id
        if self._data == "":
            self._type = ""
            return
        self.dispatched.append(Dispatched(self._type or "message", self._data.removesuffix("\n"), self.last_event_id))
        self._data = self._type = ""
