"""Where an answer has to stop: at a number of tokens, or before a sequence of characters."""

from msgspec import Struct

from service.local.text import tokens


class Cut(Struct, frozen=True):
    """What is left of a text, and what stopped it."""

    text: str
    reason: str = ""
    sequence: str | None = None


def cut(text: str, sequences: tuple[str, ...], most_tokens: int) -> Cut:
    """End a text before the first of its stop sequences, or after so many tokens, whichever comes first."""
    found = min(((at, sequence) for sequence in sequences if (at := text.find(sequence)) >= 0), default=None)
    kept = text[: found[0]] if found else text
    within = tokens.head(kept, most_tokens)
    if len(within) < len(kept):
        return Cut(within, "max_tokens")
    return Cut(kept, "stop_sequence", found[1]) if found else Cut(kept)


class Limiter:
    """Does the same to a text that comes in pieces: holds back what may be the beginning of a stop sequence."""

    def __init__(self, sequences: tuple[str, ...], most_tokens: int) -> None:
        self._sequences = sequences
        self._left = most_tokens
        self._held = ""
        self._margin = max((len(sequence) for sequence in sequences), default=1) - 1
        self.ended: Cut | None = None

    def feed(self, piece: str, *, over: bool = False) -> str:
        """Return what may be said of the text so far; `over`: nothing more will come."""
        self._held += piece
        found = cut(self._held, self._sequences, len(self._held))
        if found.reason:
            self.ended = found
            return self._within(found.text)
        margin = 0 if over else self._margin
        said = self._held[: len(self._held) - margin] if margin else self._held
        self._held = self._held[len(said) :]
        return self._within(said)

    def _within(self, said: str) -> str:
        kept = tokens.head(said, self._left)
        self._left -= tokens.count(kept)
        if len(kept) < len(said):
            self.ended = Cut(kept, "max_tokens")
        return kept
