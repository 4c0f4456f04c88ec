"""Says an answer piece by piece, whoever found its words, and tells at the end what it cost."""

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
    """How a model speaks on one API: the tokens of a piece, from and to, and whether it sends a call's input whole."""

    least: int = 1
    most: int = 4
    whole_calls: bool = False
    opens_calls: bool = False
    """Whether a call begins with an empty piece, as Claude's do (recorded, 15 of 15)."""


async def stream_pieces(
    prompt: LocalPrompt,
    answer: ComposedAnswer,
    chunking: Chunking,
    counted: InputTokens,
    words: AsyncIterator[str] | None = None,
) -> AsyncIterator[Piece | End]:
    """Say an answer. `words`: the text of its last block, where it is live."""
    spent = reasoned = 0
    for block in answer.blocks:
        for piece in _pieces(block, chunking):
            spent += piece.tokens
            reasoned += piece.tokens if block.kind in {"thinking", "redacted"} else 0
            yield piece
    stop, sequence = answer.stop, answer.sequence
    if answer.live and words is not None:
        limiter = Limiter(prompt.stop_sequences, max(0, prompt.max_tokens - spent))
        async for piece in _live(Block(len(answer.blocks), "text"), words, limiter):
            spent += piece.tokens
            yield piece
        if limiter.ended:
            stop, sequence = limiter.ended.reason, limiter.ended.sequence
    usage = LocalUsage(counted.fresh, spent, counted.cache_read, counted.cache_write, reasoned)
    yield End(stop, usage, sequence, answer.trace)


async def _live(block: Block, words: AsyncIterator[str], limiter: Limiter) -> AsyncIterator[Piece]:
    """Pass words on as they come; the block is opened by its first piece and closed by an empty one."""
    first = True
    async for word in chained(words):
        said = limiter.feed(word or "", over=word is None)
        if said:
            yield Piece(block, said, tokens.count(said), first=first, last=False)
            first = False
        if limiter.ended:
            break
    yield Piece(block, "", 0, first=first, last=True)


async def chained(words: AsyncIterator[str]) -> AsyncIterator[str | None]:
    """Yield the words, then None."""
    async for word in words:
        yield word
    yield None


def _pieces(block: Block, chunking: Chunking) -> Iterator[Piece]:
    said: Iterator[tuple[str, int]]
    if block.kind in {"redacted", "server_result"}:
        said = iter(((block.text, 0),))
    elif block.text == REDACTED or (block.kind in {"call", "server_call"} and chunking.whole_calls):
        said = iter(((block.text, tokens.count(block.text)),))
    else:
        said = tokens.group(block.text, _sizes(block, chunking))
        if block.kind in {"call", "server_call"} and chunking.opens_calls:
            said = chain((("", 0),), said)
    held = next(said, ("", 0))
    first = True
    for following in chain(said, (None,)):
        yield Piece(block, *held, first=first, last=following is None)
        first = False
        if following is not None:
            held = following


def _sizes(block: Block, chunking: Chunking) -> Iterator[int]:
    if chunking.least == chunking.most:
        return repeat(chunking.least)
    random = Random(len(block.text))  # noqa: S311 nothing secret
    return iter(lambda: random.randint(chunking.least, chunking.most), 0)
