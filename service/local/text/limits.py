"""Cuts a text at a token limit or before a stop sequence."""

from msgspec import Struct

from service.local.text import tokens


class Cut(Struct, frozen=True):
    """The text before the cut, and the reason of the cut; empty: the text was not cut."""

    text: str
    reason: str = ""
    sequence: str | None = None


def cut(text: str, sequences: tuple[str, ...], max_tokens: int) -> Cut:
    """Cut a text before its first stop sequence or after `max_tokens`, whichever is earlier."""
    found = min(((at, sequence) for sequence in sequences if (at := text.find(sequence)) >= 0), default=None)
    before = text[: found[0]] if found else text
    limited = tokens.head(before, max_tokens)
    if len(limited) < len(before):
        return Cut(limited, "max_tokens")
    return Cut(before, "stop_sequence", found[1]) if found else Cut(before)


class Limiter:
    """Cuts a text that arrives in pieces. It buffers what can be the beginning of a stop sequence."""

    def __init__(self, sequences: tuple[str, ...], max_tokens: int) -> None:
        self._sequences = sequences
        self._left = max_tokens
        self._buffer = ""
        self._margin = max((len(sequence) for sequence in sequences), default=1) - 1
        self.ended: Cut | None = None

    def feed(self, piece: str, *, over: bool = False) -> str:
        """Return the text that is ready to be sent; `over`: this is the last piece."""
        self._buffer += piece
        found = cut(self._buffer, self._sequences, len(self._buffer))
        if found.reason:
            self.ended = found
            return self._limit(found.text)
        margin = 0 if over else self._margin
        ready = self._buffer[: len(self._buffer) - margin] if margin else self._buffer
        self._buffer = self._buffer[len(ready) :]
        return self._limit(ready)

    def _limit(self, text: str) -> str:
        limited = tokens.head(text, self._left)
        self._left -= tokens.count(limited)
        if len(limited) < len(text):
            self.ended = Cut(limited, "max_tokens")
        return limited
