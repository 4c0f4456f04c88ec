"""`artesian chat`."""

import json
import re
from pathlib import Path
from typing import Any

from tests.client.cutting_proxy import cutting
from tests.harness import CLAUDE, Service, running
from tests.terminal.terminal import CTRL_C, CTRL_D, left_in, run, terminal
from tests.waiting import eventually

PROMPT = r"you> "
SUMMARY = r"\n\d+ tokens · [\d.e+]+ tokens/s · first after \d\.\d\d s\n"


def asked(requests: list[bytes]) -> list[dict[str, Any]]:
    """Return the request bodies in order."""
    decoder, sent = json.JSONDecoder(), b"".join(requests).decode()
    return [decoder.raw_decode(sent, found.end())[0] for found in re.finditer(r"\r\n\r\n(?={)", sent)]


async def test_a_chat_sends_the_earlier_messages(service: Service, tmp_path: Path) -> None:
    async with (
        cutting(service.url) as proxy,
        terminal(tmp_path, "chat", "-s", "Be brief.", ARTESIAN_URL=proxy.url) as program,
    ):
        await program.expect(rf"{CLAUDE} at {proxy.url}.*\n\n{PROMPT}")
        program.type("Tell me of the sea\r")
        await program.expect("the sea\n")
        await program.expect(SUMMARY)
        await program.expect(PROMPT)
        program.type("And of rivers?\r")
        await program.expect(SUMMARY)
        await program.expect(PROMPT)
        program.type("exit\r")
        assert await program.ended() == 0

    first, second = asked(proxy.requests)
    assert first["system"] == second["system"] == "Be brief."
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][0]["content"] == "Tell me of the sea"
    assert second["messages"][1]["content"] in program.shown


async def test_ctrl_c_stops_the_answer_and_not_the_program(tmp_path: Path) -> None:
    async with (
        running(local_rate=20) as service,
        cutting(service.url) as proxy,
        terminal(tmp_path, "chat", ARTESIAN_URL=proxy.url) as program,
    ):
        await program.expect(PROMPT)
        program.type("Tell me a long tale\r")
        await program.expect("tale\n")
        await program.expect(r"[A-Z]\w+ \w+ \w+")
        program.type(CTRL_C)
        await program.expect(r"Stopped\.\n\n" + PROMPT)

        async def left() -> bool:
            return bool((await service.calls())[0]["client_left"])

        assert await eventually(left)
        program.type("Count to 3\r")
        await program.expect(SUMMARY)
        await program.expect(PROMPT)
        program.type("quit\r")
        assert await program.ended() == 0

    assert "Traceback" not in program.shown
    _, second = asked(proxy.requests)
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]


async def test_at_the_prompt_ctrl_c_does_nothing_and_ctrl_d_ends_the_chat(service: Service, tmp_path: Path) -> None:
    async with terminal(tmp_path, "chat", ARTESIAN_URL=service.url) as program:
        await program.expect(PROMPT)
        program.type("half a thought")
        await program.expect("half a thought")
        for _ in range(3):  # a signal just before the program waits for a key is only seen with the next one
            program.type(CTRL_C)
            if await program.shows(r"\(type exit to end the chat\)\n" + PROMPT, within_s=5):
                break
        program.type(CTRL_D)
        assert await program.ended() == 0

    assert await service.calls() == []


async def test_an_error_is_printed_and_the_chat_continues(service: Service, tmp_path: Path) -> None:
    async with terminal(tmp_path, "chat", "-m", "nonsense.model", ARTESIAN_URL=service.url) as program:
        await program.expect(PROMPT)
        program.type("Hi\r")
        await program.expect(r"\(model_not_found\)")
        await program.expect(PROMPT)
        program.type("/model claude-haiku\r")
        await program.expect("Several models match: ")
        await program.expect(PROMPT)
        program.type(f"/model {CLAUDE}\r")
        await program.expect("\\.\n" + PROMPT)
        program.type("Hi\r")
        await program.expect(SUMMARY)
        await program.expect(PROMPT)
        program.type(CTRL_D)
        assert await program.ended() == 0


async def test_commands_change_what_is_sent(service: Service, tmp_path: Path) -> None:
    lines = [
        "/help",
        "/system",
        "/system Be kind.",
        "/model amazon.nova-lite-v1:0",
        "/model",
        "Hi",
        "/save talk.md",
        "/save talk.md",
        "/save talk.json",
        "/save",
        "/save nowhere/talk.md",
        "/new",
        "/system off",
        "/model some.other-model",
        "/model amazon.titan-text-lite-v1",
        "",
        "Hi again",
        "/dance",
        "/quit",
        "never sent",
    ]
    (tmp_path / "mine.md").write_text("mine")
    async with cutting(service.url) as proxy:
        said = "\n".join(["/save mine.md", *lines])
        ended = await run(tmp_path, "chat", stdin=said, ARTESIAN_URL=proxy.url)

    assert ended.status == 0
    first, second = asked(proxy.requests)
    assert (first["model_id"], first["system"]) == ("amazon.nova-lite-v1:0", "Be kind.")
    assert second["model_id"] == "amazon.titan-text-lite-v1"
    assert second["messages"] == [{"role": "user", "content": "Hi again"}]
    assert "system" not in second
    for sentence in [
        "mine.md already exists. Choose another name.",
        "Ctrl-C stops an answer.",
        "No system prompt is set.",
        "Saved 2 messages to talk.md.",
        "Saved 2 messages to talk.json.",
        "Missing file name: /save FILE",
        "Cannot write nowhere/talk.md: No such file or directory.",
        "Model: some.other-model (not in the service's list).",
        "Unknown command /dance.",
    ]:
        assert sentence in ended.out, sentence
    assert (tmp_path / "mine.md").read_text() == "mine"
    assert json.loads((tmp_path / "talk.json").read_text())["system"] == "Be kind."


async def test_the_end_of_input_ends_the_chat(service: Service, tmp_path: Path) -> None:
    ended = await run(tmp_path, "chat", stdin="Hi", ARTESIAN_URL=service.url)

    assert ended.status == 0
    assert (await service.ask())["text"] in ended.out


async def test_local_needs_no_service(tmp_path: Path) -> None:
    async with terminal(tmp_path, "chat", "--local", ARTESIAN_LOCAL_RATE="0") as program:
        await program.expect(PROMPT)
        program.type("Hi\r")
        await program.expect(SUMMARY)
        program.type("exit\r")
        assert await program.ended() == 0

    assert left_in(tmp_path) == []
