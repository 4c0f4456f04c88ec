"""Other people's clients and our own, with a real key, a bad one and one that may not."""

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from artesian import ArtesianError, AsyncArtesian
from tests.access.holders import Holder, held
from tests.harness import CLAUDE

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID: list[Any] = [{"role": "user", "content": 'Say "Let in."'}]


async def through_openai(holder: Holder) -> str:
    async with holder.openai() as client:
        chat = await client.chat.completions.create(model=CLAUDE, messages=SAID)
        response = await client.responses.create(model=CLAUDE, input='Say "Let in."')
        assert [model.id async for model in client.models.list()]
        assert response.output_text == chat.choices[0].message.content
        return response.output_text


async def through_anthropic(holder: Holder) -> str:
    async with holder.anthropic() as client:
        async with client.messages.stream(model=CLAUDE, messages=SAID, max_tokens=50) as stream:
            text = await stream.get_final_text()
        assert [model.id async for model in client.models.list()]
        return text


async def test_a_good_key_works_with_both(holders: dict[str, Holder]) -> None:
    assert await through_openai(holders["ann"]) == "Let in."
    assert await through_anthropic(holders["ann"]) == "Let in."


async def test_anthropics_client_may_bring_the_key_as_a_token(holders: dict[str, Holder]) -> None:
    ann = holders["ann"]
    async with anthropic.AsyncAnthropic(base_url=ann.service.url, auth_token=ann.key, max_retries=0) as client:
        message = await client.messages.create(model=CLAUDE, messages=SAID, max_tokens=50)

    assert message.content[0].type == "text"


@pytest.mark.parametrize("name", ["gone", "late"])
async def test_a_bad_key_is_their_own_error_of_authentication(holders: dict[str, Holder], name: str) -> None:
    with pytest.raises(openai.AuthenticationError) as theirs:
        await through_openai(holders[name])
    with pytest.raises(anthropic.AuthenticationError) as others:
        await through_anthropic(holders[name])

    for raised in (theirs.value, others.value):
        assert holders[name].key not in str(raised)


async def test_a_key_that_may_not_is_their_own_error_of_permission(holders: dict[str, Holder], tmp_path: Path) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="scope `generate`"):
        await through_openai(holders["reader"])
    with pytest.raises(anthropic.PermissionDeniedError, match="scope `generate`"):
        await through_anthropic(holders["reader"])
    async with held(tmp_path, {"nova": {"models": ["amazon.*"]}}) as [nova]:
        with pytest.raises(openai.PermissionDeniedError, match="may not use the model anthropic"):
            await through_openai(nova)
        with pytest.raises(anthropic.PermissionDeniedError, match="may not use the model anthropic"):
            await through_anthropic(nova)


async def test_our_own_client_sends_the_key_it_is_given(holders: dict[str, Holder]) -> None:
    ann = holders["ann"]
    async with AsyncArtesian(ann.service.url, api_key=ann.key) as artesian:
        answer = await artesian.generate('Say "Let in."')
    async with AsyncArtesian(ann.service.url, api_key="art_nobody") as stranger:
        with pytest.raises(ArtesianError) as raised:
            await stranger.generate("Hi")

    assert answer.text == "Let in."
    assert raised.value.code == "unauthenticated"
