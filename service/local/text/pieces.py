"""Splits an answer into pieces, and ends with its stop reason and usage."""

from collections.abc import AsyncIterator, Iterator
from itertools import chain, repeat
from random import Random

from msgspec import Struct

from service.local.answer import Block, End, LocalUsage, Piece
from service.local.compose import ComposedAnswer
from service.local.meter import InputTokens
from service.local.prompt import LocalPrompt
from service.local.text import tokens
from service.local.text.limits import Limiter
from service.local.text.reasoning_text import REDACTED


class Chunking(Struct, frozen=True):
    """The sizes of a model's pieces on one API, in tokens. `whole_calls`: a tool call's arguments are one piece."""

    min_tokens: int = 1
    max_tokens: int = 4
    whole_calls: bool = False
    opens_calls: bool = False
    """Whether a tool call begins with an empty piece, as Claude's do (recorded, 15 of 15)."""


async def stream_pieces(
    prompt: LocalPrompt,
    answer: ComposedAnswer,
    chunking: Chunking,
    counted: InputTokens,
    texts: AsyncIterator[str] | None = None,
) -> AsyncIterator[Piece | End]:
    """Yield the pieces of an answer, then its end. `texts`: the text of a live answer's last block."""
    spent = reasoned = 0
    for block in answer.blocks:
        for piece in _pieces(block, chunking):
            spent += piece.tokens
            reasoned += piece.tokens if block.kind in {"thinking", "redacted"} else 0
            yield piece
    stop, sequence = answer.stop, answer.sequence
    if answer.live and texts is not None:
        limiter = Limiter(prompt.stop_sequences, max(0, prompt.max_tokens - spent))
        async for piece in _live_pieces(Block(len(answer.blocks), "text"), texts, limiter):
            spent += piece.tokens
            yield piece
        if limiter.ended:
            stop, sequence = limiter.ended.reason, limiter.ended.sequence
    usage = LocalUsage(counted.fresh, spent, counted.cache_read, counted.cache_write, reasoned)
    yield End(stop, usage, sequence, answer.trace)


async def _live_pieces(block: Block, texts: AsyncIterator[str], limiter: Limiter) -> AsyncIterator[Piece]:
    """Yield the texts as pieces; the first piece opens the block and an empty one closes it."""
    first = True
    async for text in _end_with_none(texts):
        ready = limiter.feed(text or "", over=text is None)
        if ready:
            yield Piece(block, ready, tokens.count(ready), first=first, last=False)
            first = False
        if limiter.ended:
            break
    yield Piece(block, "", 0, first=first, last=True)


async def _end_with_none(texts: AsyncIterator[str]) -> AsyncIterator[str | None]:
    async for text in texts:
        yield text
    yield None


def _pieces(block: Block, chunking: Chunking) -> Iterator[Piece]:
    texts: Iterator[tuple[str, int]]
    if block.kind in {"redacted", "server_result"}:
        texts = iter(((block.text, 0),))
    elif block.text == REDACTED or (block.kind in {"call", "server_call"} and chunking.whole_calls):
        texts = iter(((block.text, tokens.count(block.text)),))
    else:
        random = Random(len(block.text))  # noqa: S311 nothing secret
        same = chunking.min_tokens == chunking.max_tokens
        sizes = iter(lambda: random.randint(chunking.min_tokens, chunking.max_tokens), 0)
        texts = tokens.group(block.text, repeat(chunking.min_tokens) if same else sizes)
        if block.kind in {"call", "server_call"} and chunking.opens_calls:
            texts = chain((("", 0),), texts)
    current = next(texts, ("", 0))
    first = True
    for following in chain(texts, (None,)):
        yield Piece(block, *current, first=first, last=following is None)
        first = False
        if following is not None:
            current = following
