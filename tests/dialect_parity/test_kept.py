"""What the database keeps of responses, looked at directly; and what we guess where nobody counts."""

from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from service.bedrock import estimate
from service.conversations.database import Database
from service.conversations.migrate import prepare_file, upgrade
from service.conversations.responses import Responses, StoredResponse
from service.conversations.values import now_ms
from service.dialects import openai_responses
from service.dialects.dialect import Heading
from service.generation import (
    Block,
    CachePoint,
    Document,
    Image,
    Message,
    ReasoningBlock,
    Request,
    Text,
    Tool,
    ToolResult,
    ToolUse,
)
from tests.dialect_parity import sdks
from tests.harness import running

STREAM = "0123456789abcdef" * 2
NAME = f"resp_{STREAM}"
QUEUED = openai_responses.whole(Heading(STREAM, "m", 1790000000.0), None, [])
ASKED = [{"type": "message", "role": "user", "content": "Hi"}]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'kept.db'}"


@pytest.fixture
async def kept(address: str) -> AsyncIterator[Responses]:
    database = Database(address)
    prepare_file(address.removeprefix("sqlite+aiosqlite:///"))
    await upgrade(database)
    yield Responses(database)
    await database.close()


def row(*, lives_ms: int = 60_000) -> StoredResponse:
    return StoredResponse(STREAM, "anonymous", now_ms(), now_ms() + lives_ms, ASKED, QUEUED)


async def test_a_response_whose_process_died_is_read_as_failed(kept: Responses, address: str) -> None:
    await kept.begin(row())
    async with running(database_url=address) as service, sdks.openai(service) as client:
        read = await client.responses.retrieve(NAME)
        cancelled = await client.responses.cancel(NAME)
        with pytest.raises(openai.BadRequestError, match="No item"):
            await client.responses.create(input=[{"type": "item_reference", "id": "msg_"}])

    assert (read.status, cancelled.status) == ("failed", "failed")
    assert read.error
    assert read.error.message == "The process that ran this generation died."


async def test_what_is_kept_already_stays_as_it_is(kept: Responses) -> None:
    await kept.begin(row())
    await kept.finish(STREAM, QUEUED | {"status": "completed"}, now_ms() + 60_000)
    await kept.begin(row())

    found = await kept.get("anonymous", STREAM)
    assert found
    assert found.ended
    assert (found.response["status"], found.input) == ("completed", ASKED)


async def test_a_failure_does_not_replace_a_completed_response(kept: Responses) -> None:
    """A process that lost the journal completed it; the one that took the stream over could not."""
    await kept.begin(row())
    await kept.finish(STREAM, QUEUED | {"status": "completed"}, now_ms() + 60_000)
    assert await kept.finish(STREAM, QUEUED | {"status": "failed"}, now_ms() + 60_000)

    found = await kept.get("anonymous", STREAM)
    assert found
    assert found.response["status"] == "completed"


async def test_another_callers_response_is_not_found(kept: Responses) -> None:
    await kept.begin(row())

    assert await kept.get("else", STREAM) is None
    assert not await kept.delete("else", STREAM)
    assert await kept.get("anonymous", STREAM)


async def test_what_has_expired_is_not_found_and_then_gone(kept: Responses) -> None:
    await kept.begin(row(lives_ms=-1))

    assert await kept.get("anonymous", STREAM) is None
    await kept.expire()
    assert not await kept.delete("anonymous", STREAM)


async def test_how_a_deleted_response_ended_is_not_kept(kept: Responses) -> None:
    await kept.begin(row())
    assert await kept.delete("anonymous", STREAM)
    await kept.finish(STREAM, QUEUED, now_ms() + 60_000)

    assert await kept.get("anonymous", STREAM) is None


BLOCKS: dict[str, tuple[Block, int]] = {
    "a text": (Text("word" * 100), 100),
    "a text of three bytes a character": (Text("\u4e95" * 100), 75),
    "an image": (Image("image/png", "AAAA" * 100_000), 1600),
    "a document of text": (Document("text/plain", "AAAA" * 400), 300),
    "a PDF": (Document("application/pdf", "AAAA" * 1600), 300),
    "a call": (ToolUse("1", "get_weather", {"city": "Oslo"}), 8),
    "a result": (ToolResult("1", (Text("word" * 10), Image("image/png", "AAAA"))), 1610),
    "reasoning": (ReasoningBlock(text="word" * 10), 10),
    "redacted reasoning": (ReasoningBlock(redacted="AAAA"), 0),
    "a cache point": (CachePoint(), 0),
}


@pytest.mark.parametrize(("block", "tokens"), BLOCKS.values(), ids=BLOCKS)
def test_the_tokens_of_a_request_are_estimated(block: Block, tokens: int) -> None:
    bare = Request("m", (Message("user", (Text("word"),)),))
    with_block = Request("m", (Message("user", (Text("word"), block)),))

    assert estimate.tokens(with_block) - estimate.tokens(bare) == pytest.approx(tokens, abs=1)


def test_what_the_system_says_and_what_tools_there_are_counts_too() -> None:
    bare = Request("m", (Message("user", (Text("word"),)),))
    more = Request("m", bare.messages, system=(Text("word" * 50),), tools=(Tool("act", {"type": "object"}, "word"),))

    assert 50 < estimate.tokens(more) - estimate.tokens(bare) < 70
