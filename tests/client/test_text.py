"""The tutorial's form: a dict, a generator of texts, or a callback."""

import asyncio

import pytest

from artesian import Artesian, ArtesianError, AsyncArtesian
from tests.harness import CLAUDE, Service, fault_header
from tests.native.gates import call_of

Told = list[tuple[str, bool]]


async def test_a_whole_answer_is_a_dict(service: Service) -> None:
    async with AsyncArtesian(service.url) as artesian:
        answer = await artesian.generate_text(CLAUDE, "Hi", temperature=0.5, max_tokens=20)

    assert answer.keys() == {"text", "model_id", "latency", "raw_response"}
    assert answer["text"] == answer["raw_response"]["text"] != ""
    assert answer["model_id"] == CLAUDE
    assert answer["latency"]


async def test_a_streamed_answer_is_a_generator_of_texts(service: Service) -> None:
    async with AsyncArtesian(service.url) as artesian:
        texts = [text async for text in await artesian.generate_text(CLAUDE, "Hi", stream=True)]

    assert len(texts) > 1
    assert "".join(texts) == (await service.ask())["text"]


@pytest.mark.parametrize("form", ["function", "coroutine function"])
async def test_a_callback_gets_each_piece_and_then_the_end(service: Service, form: str) -> None:
    told: Told = []

    async def tell(text: str, done: bool) -> None:  # noqa: FBT001 - the tutorial's signature
        told.append((text, done))

    async with AsyncArtesian(service.url) as artesian:
        answer = await artesian.generate_text(
            CLAUDE,
            "Hi",
            stream=True,
            callback=tell if form != "function" else lambda text, done: told.append((text, done)),
        )

    assert told[-1] == ("", True)
    assert all(text and not done for text, done in told[:-1])
    assert "".join(text for text, _ in told) == answer["text"]


async def test_a_failure_is_raised_and_the_callback_gets_no_end(service: Service) -> None:
    told: Told = []
    async with AsyncArtesian(service.url, headers=fault_header("exception=validationException@3")) as artesian:
        with pytest.raises(ArtesianError):
            await artesian.generate_text(
                CLAUDE, "Hi", stream=True, callback=lambda text, done: told.append((text, done))
            )

    assert told
    assert ("", True) not in told


async def test_the_synchronous_client_has_all_three_forms(service: Service) -> None:
    def ask() -> tuple[str, str, Told]:
        told: Told = []
        with Artesian(service.url) as artesian:
            whole = artesian.generate_text(None, "Hi")["text"]
            pieces = "".join(artesian.generate_text(None, "Hi", stream=True))
            artesian.generate_text(None, "Hi", stream=True, callback=lambda text, done: told.append((text, done)))
        return whole, pieces, told

    whole, pieces, told = await asyncio.to_thread(ask)

    assert whole == pieces == "".join(text for text, _ in told)
    assert told[-1] == ("", True)


async def test_a_generator_that_is_dropped_closes_the_upstream(service: Service) -> None:
    def ask() -> None:
        with Artesian(service.url, headers=fault_header("gate@2")) as artesian:
            texts = artesian.generate_text(None, "Hi", stream=True)
            next(texts)
            del texts

    await asyncio.to_thread(ask)

    assert (await call_of(service, state="closed"))["client_left"]
