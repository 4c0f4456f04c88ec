"""The local Bedrock's tokens: up to five characters of a word, a run of white space, or another character."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(r" ?\w{1,5}|\s+|[^\w\s]")


def tokenize(text: str) -> list[str]:
    """Split a text into its tokens, which together are the text."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Count the tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def head(text: str, limit: int) -> str:
    """Return the first `limit` tokens of a text."""
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number == limit:
            return text[: token.start()]
    return text


def group(text: str, sizes: Iterator[int]) -> Iterator[tuple[str, int]]:
    """Split a text into pieces of the next size of `sizes` in tokens; yield each with its token count."""
    tokens, at = tokenize(text), 0
    while at < len(tokens):
        size = next(sizes)
        piece = tokens[at : at + size]
        yield "".join(piece), len(piece)
        at += size
