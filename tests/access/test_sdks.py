"""Third-party clients and our own, with a valid key, an invalid one and one without permission."""

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from artesian import ArtesianError, AsyncArtesian
from tests.access.holders import Holder, held
from tests.harness import CLAUDE

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID: list[Any] = [{"role": "user", "content": 'Say "Accepted."'}]


async def through_openai(holder: Holder) -> str:
    async with holder.openai() as client:
        chat = await client.chat.completions.create(model=CLAUDE, messages=SAID)
        response = await client.responses.create(model=CLAUDE, input='Say "Accepted."')
        assert [model.id async for model in client.models.list()]
        assert response.output_text == chat.choices[0].message.content
        return response.output_text


async def through_anthropic(holder: Holder) -> str:
    async with holder.anthropic() as client:
        async with client.messages.stream(model=CLAUDE, messages=SAID, max_tokens=50) as stream:
            text = await stream.get_final_text()
        assert [model.id async for model in client.models.list()]
        return text


async def test_a_valid_key_works_with_both(holders: dict[str, Holder]) -> None:
    assert await through_openai(holders["ann"]) == "Accepted."
    assert await through_anthropic(holders["ann"]) == "Accepted."


async def test_anthropics_client_may_send_the_key_as_a_token(holders: dict[str, Holder]) -> None:
    ann = holders["ann"]
    async with anthropic.AsyncAnthropic(base_url=ann.service.url, auth_token=ann.key, max_retries=0) as client:
        message = await client.messages.create(model=CLAUDE, messages=SAID, max_tokens=50)

    assert message.content[0].type == "text"


@pytest.mark.parametrize("name", ["gone", "late"])
async def test_an_invalid_key_raises_their_authentication_error(holders: dict[str, Holder], name: str) -> None:
    with pytest.raises(openai.AuthenticationError) as theirs:
        await through_openai(holders[name])
    with pytest.raises(anthropic.AuthenticationError) as others:
        await through_anthropic(holders[name])

    for raised in (theirs.value, others.value):
        assert holders[name].key not in str(raised)


async def test_a_key_without_permission_raises_their_permission_error(
    holders: dict[str, Holder], tmp_path: Path
) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="scope `generate`"):
        await through_openai(holders["reader"])
    with pytest.raises(anthropic.PermissionDeniedError, match="scope `generate`"):
        await through_anthropic(holders["reader"])
    async with held(tmp_path, {"nova": {"models": ["amazon.*"]}}) as [nova]:
        with pytest.raises(openai.PermissionDeniedError, match="may not use the model anthropic"):
            await through_openai(nova)
        with pytest.raises(anthropic.PermissionDeniedError, match="may not use the model anthropic"):
            await through_anthropic(nova)


async def test_our_client_sends_its_key(holders: dict[str, Holder]) -> None:
    ann = holders["ann"]
    async with AsyncArtesian(ann.service.url, api_key=ann.key) as artesian:
        answer = await artesian.generate('Say "Accepted."')
    async with AsyncArtesian(ann.service.url, api_key="art_unknown") as stranger:
        with pytest.raises(ArtesianError) as raised:
            await stranger.generate("Hi")

    assert answer.text == "Accepted."
    assert raised.value.code == "unauthenticated"
