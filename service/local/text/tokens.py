"""What counts as a token here: a piece of a word, a run of white space or one other character."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(r" ?\w{1,5}|\s+|[^\w\s]")


def tokenize(text: str) -> list[str]:
    """Cut a text into its tokens; joined again they are the text."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Count the tokens of a text without keeping them."""
    return sum(1 for _ in _TOKEN.finditer(text))


def head(text: str, limit: int) -> str:
    """Return the first `limit` tokens of a text."""
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number == limit:
            return text[: token.start()]
    return text


def group(text: str, sizes: Iterator[int]) -> Iterator[tuple[str, int]]:
    """Cut a text into pieces of as many tokens as `sizes` says; yield each with its count."""
    tokens, at = tokenize(text), 0
    while at < len(tokens):
        size = next(sizes)
        piece = tokens[at : at + size]
        yield "".join(piece), len(piece)
        at += size
