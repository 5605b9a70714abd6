"""What is said about a file that cannot be read."""

from __future__ import annotations

from coliseum.errors import InvalidInput


class UnreadableFile(InvalidInput):
    """Everything that is wrong with a file, line by line."""

    def __init__(self, *messages: str) -> None:
        super().__init__("file", len(messages), "a file without problems")
        self.messages = messages

    def __str__(self) -> str:
        return "\n".join(self.messages)
