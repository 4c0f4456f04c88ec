"""What a client's own accumulator makes of the stream is the answer that it gets without one."""

import asyncio

import pytest

from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import Streamed, with_fault
from tests.harness import Json, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SURFACES: dict[str, tuple[dict[str, Json], Streamed, Streamed, Streamed]] = {
    "chat": (asks.CHAT, sdks.chat, sdks.chat_streamed, sdks.chat_streamed_sync),
    "responses": (asks.RESPONSES, sdks.responses, sdks.responses_streamed, sdks.responses_streamed_sync),
    "messages": (asks.MESSAGES, sdks.messages, sdks.messages_streamed, sdks.messages_streamed_sync),
}
CASES = [(surface, case) for surface, (cases, *_) in SURFACES.items() for case in cases]


@pytest.mark.parametrize(("surface", "case"), CASES)
async def test_the_accumulated_stream_is_the_whole_answer(shared: Service, surface: str, case: str) -> None:
    cases, whole, streamed, streamed_sync = SURFACES[surface]
    expected = await whole(shared, cases[case])

    assert await streamed(shared, cases[case]) == expected
    assert await asyncio.to_thread(streamed_sync, shared, cases[case]) == expected


@pytest.mark.parametrize("stop", asks.STOPS)
@pytest.mark.parametrize("surface", SURFACES)
async def test_every_stop_reason_is_accumulated(shared: Service, surface: str, stop: str) -> None:
    cases, whole, streamed, _ = SURFACES[surface]
    asked = with_fault(cases["a text"], f"stop-reason={stop}")

    assert await streamed(shared, asked) == await whole(shared, asked)


@pytest.mark.parametrize("case", ["a text", "two calls at once", "reasoning"])
@pytest.mark.parametrize("model", asks.MODELS)
@pytest.mark.parametrize("surface", SURFACES)
async def test_any_model_of_bedrock_answers(shared: Service, surface: str, model: str, case: str) -> None:
    cases, whole, streamed, _ = SURFACES[surface]
    asked = cases[case] | {"model": model}

    assert await streamed(shared, asked) == await whole(shared, asked)


@pytest.mark.parametrize("case", ["a text", "two calls at once", "reasoning"])
@pytest.mark.parametrize("surface", SURFACES)
async def test_heartbeats_between_any_two_events_change_nothing(shared: Service, surface: str, case: str) -> None:
    """The local Bedrock pauses before each of the first deltas, several heartbeats long."""
    cases, whole, streamed, streamed_sync = SURFACES[surface]
    fault = "slow-first=0.03+" + "+".join(f"pause=0.03@{at}" for at in range(1, 7))
    asked = with_fault(cases[case], fault)
    expected = await whole(shared, cases[case])

    assert await streamed(shared, asked) == expected
    assert await asyncio.to_thread(streamed_sync, shared, asked) == expected
