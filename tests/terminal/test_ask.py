"""`artesian ask`."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from tests.client.cutting_proxy import cutting
from tests.client.scripted import HEAD, START, done, event, scripted
from tests.harness import Service, running
from tests.terminal.terminal import ARTESIAN, CTRL_C, Ended, environment, left_in, run, terminal
from tests.waiting import eventually


async def ask(service: Service, folder: Path, *arguments: str, stdin: str | None = None) -> Ended:
    """Run `artesian ask` on a running service."""
    return await run(folder, "ask", *arguments, stdin=stdin, ARTESIAN_URL=service.url)


def questions(requests: list[bytes]) -> list[str]:
    """Return the prompts that were sent."""
    return [json.loads(body)["prompt"] for request in requests for body in re.findall(rb"\r\n\r\n({.*})", request)]


async def test_the_answer_and_nothing_else_is_on_standard_output(service: Service, tmp_path: Path) -> None:
    ended = await ask(service, tmp_path, "Why is the sky blue?")

    assert ended == Ended(0, (await service.ask(prompt="Why is the sky blue?", max_tokens=2000))["text"] + "\n", "")


STDIN = {
    "the argument": (["Why?"], None, "Why?"),
    "standard input": ([], "Why?\n", "Why?"),
    "standard input by -": (["-"], "Why?\n", "Why?"),
    "both": (["Sum this up:"], "one\ntwo\n", "Sum this up:\n\none\ntwo"),
    "an argument, and empty standard input": (["Why?"], "", "Why?"),
}


@pytest.mark.parametrize(("arguments", "stdin", "asked"), STDIN.values(), ids=STDIN)
async def test_the_prompt_is(
    service: Service, tmp_path: Path, arguments: list[str], stdin: str | None, asked: str
) -> None:
    async with cutting(service.url) as proxy:
        ended = await run(tmp_path, "ask", *arguments, stdin=stdin, ARTESIAN_URL=proxy.url)

    assert (ended.status, ended.err) == (0, "")
    assert questions(proxy.requests) == [asked]


async def test_json_is_the_whole_answer(service: Service, tmp_path: Path) -> None:
    ended = await ask(service, tmp_path, "Hi", "--json", "-m", "amazon.nova-lite-v1:0", "--max-tokens", "5")

    answer = json.loads(ended.out)
    assert (answer["model_id"], answer["stop_reason"]) == ("amazon.nova-lite-v1:0", "max_tokens")
    assert answer["usage"]["output_tokens"] == 5


WRONG = {
    "no prompt": ([], 2, "The prompt is empty."),
    "an empty prompt": (["  "], 2, "The prompt is empty."),
    "an unknown option": (["Hi", "--hotter"], 2, "--hotter"),
    "an invalid temperature": (["Hi", "--temperature", "3"], 2, "--temperature"),
    "an unknown model": (["Hi", "-m", "nonsense.model"], 1, "(model_not_found)"),
}


@pytest.mark.parametrize(("arguments", "status", "sentence"), WRONG.values(), ids=WRONG)
async def test_an_error_is_printed_and_sets_the_exit_status(
    service: Service, tmp_path: Path, arguments: list[str], status: int, sentence: str
) -> None:
    ended = await ask(service, tmp_path, *arguments, stdin="")

    assert (ended.status, ended.out) == (status, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


INPUTS = {
    "closed, without a prompt": ("artesian ask <&-", 2, "Missing prompt."),
    "closed, with -": ("artesian ask - <&-", 2, "The prompt is empty."),
    "closed, with a prompt": ("artesian ask Hi <&-", 0, ""),
    "not text": (r"printf '\377\376' | artesian ask", 2, "not valid UTF-8"),
    "a prompt with half a character": (r'artesian ask "$(printf "a\377")" </dev/null', 0, ""),
}


@pytest.mark.parametrize(("line", "status", "sentence"), INPUTS.values(), ids=INPUTS)
async def test_standard_input_may_be(service: Service, tmp_path: Path, line: str, status: int, sentence: str) -> None:
    path = f"{Path(ARTESIAN).parent}:/usr/bin:/bin"
    process = await asyncio.create_subprocess_shell(
        line,
        cwd=tmp_path,
        env=environment(ARTESIAN_URL=service.url, PATH=path),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()

    assert (process.returncode, sentence in err.decode()) == (status, True)
    assert "Traceback" not in err.decode()


async def test_half_a_character_in_an_answer_is_not_a_failure(tmp_path: Path) -> None:
    async with scripted(HEAD + START + event(2, r'{"text":"a\ud83d"}') + done(3)) as server:
        assert await run(tmp_path, "ask", "Hi", ARTESIAN_URL=server.url) == Ended(0, "a?\n", "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:1/else/where"])
async def test_without_a_service_the_error_says_how_to_start_one(tmp_path: Path, url: str) -> None:
    for command in (["ask", "Hi"], ["chat"], ["models"]):
        ended = await run(tmp_path, *command, ARTESIAN_URL=url)
        assert (ended.status, ended.out) == (3, "")
        assert f"No Artesian service can be reached at {url}: Connection refused." in ended.err
        assert "`artesian serve`" in ended.err


async def test_an_invalid_url_is_wrong_use(tmp_path: Path) -> None:
    ended = await run(tmp_path, "ask", "Hi", ARTESIAN_URL="localhost:8000")

    assert ended.status == 2
    assert 'Invalid ARTESIAN_URL "localhost:8000": include the scheme' in ended.err


async def test_the_url_is_read_from_a_dotenv_file(service: Service, tmp_path: Path) -> None:
    port = service.url.rpartition(":")[2]
    (tmp_path / ".env").write_text(f"ARTESIAN_HOST=0.0.0.0\nARTESIAN_PORT={port}\n")

    assert (await run(tmp_path, "ask", "Hi")).status == 0


async def test_a_dotenv_file_that_is_not_text_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")

    ended = await run(tmp_path, "ask", "Hi")

    assert (ended.status, ended.err) == (2, "artesian: .env is not valid UTF-8.\n")


async def test_local_needs_no_service_and_leaves_no_files(tmp_path: Path) -> None:
    ended = await run(tmp_path, "ask", "Hi", "--local", ARTESIAN_LOCAL_RATE="0")

    assert (ended.status, ended.err) == (0, "")
    assert len(ended.out) > 20
    assert left_in(tmp_path) == []


async def test_local_names_an_invalid_setting(tmp_path: Path) -> None:
    ended = await run(tmp_path, "ask", "Hi", "--local", ARTESIAN_MAX_RETRIES="many")

    assert ended.status == 2
    assert "ARTESIAN_MAX_RETRIES" in ended.err


async def test_in_a_terminal_the_rate_is_printed_at_the_end(service: Service, tmp_path: Path) -> None:
    async with terminal(tmp_path, "ask", "Why?", ARTESIAN_URL=service.url) as program:
        await program.expect(r"\d+ tokens · [\d.e+]+ tokens/s · first after \d\.\d\d s\n")
        assert await program.ended() == 0

    assert (await service.ask(prompt="Why?", max_tokens=2000))["text"] in program.shown


async def test_a_lost_connection_is_announced_and_the_answer_is_whole(service: Service, tmp_path: Path) -> None:
    async with (
        cutting(service.url, [1200]) as proxy,
        terminal(tmp_path, "ask", "Why?", ARTESIAN_URL=proxy.url) as program,
    ):
        before = await program.expect(r"Connection lost\. Reconnecting in 1 s \(1 of 4\)\n")
        between = await program.expect("Connection restored\n")
        after = await program.expect(r"\n\d+ tokens")
        assert await program.ended() == 0

    assert between == ""
    text = (await service.ask(prompt="Why?", max_tokens=2000))["text"]
    assert before.rpartition("\r")[2].rstrip("\n") + after == text  # after the spinner


async def test_an_interrupt_stops_the_model(tmp_path: Path) -> None:
    async with running(local_rate=20) as service:
        async with terminal(tmp_path, "ask", "Tell me a long tale", ARTESIAN_URL=service.url) as program:
            await program.expect(r"\w+ \w+ \w+")
            await call_has_text(service)
            program.type(CTRL_C)
            assert await program.ended() == 130
        assert "Traceback" not in program.shown

        async def left() -> bool:
            return bool((await service.calls())[0]["client_left"])

        assert await eventually(left)


async def call_has_text(service: Service) -> None:
    """Wait until the model has sent text."""

    async def said() -> bool:
        calls = await service.calls()
        return bool(calls) and calls[0]["deltas"] > 2

    assert await eventually(said)


async def test_a_closed_output_ends_the_command_without_a_message(tmp_path: Path) -> None:
    async with running(local_rate=20) as service:
        process = await asyncio.create_subprocess_exec(
            *(ARTESIAN, "ask", "Tell me a long tale"),
            cwd=tmp_path,
            env=environment(ARTESIAN_URL=service.url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        await asyncio.wait_for(process.stdout.read(1), 20)
        process.stdout._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - the only way to stop reading
        said = await process.stderr.read()
        status = await process.wait()

    assert (status, said) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to write to")
@pytest.mark.parametrize("command", [["ask", "Hi"], ["models"]], ids=["ask", "models"])
async def test_a_full_disk_is_reported_in_a_sentence(service: Service, tmp_path: Path, command: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(ARTESIAN, *command),
        cwd=tmp_path,
        env=environment(ARTESIAN_URL=service.url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=full,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(full)
    _, said = await process.communicate()

    assert (process.returncode, said) == (1, b"artesian: No space left on device.\n")


async def test_a_model_cannot_control_the_terminal(tmp_path: Path) -> None:
    thought = event(2, '{"text":"Hm."}', "reasoning")
    hostile = thought + event(3, '{"text":"\\u001b]0;evil\\u0007 \\u009b2J\\rfine\\n"}')
    async with scripted(HEAD + START + hostile + done(4), HEAD + START + hostile + done(4)) as server:
        async with terminal(tmp_path, "ask", "Hi", ARTESIAN_URL=server.url) as program:
            await program.expect("fine")
            assert await program.ended() == 0
        piped = await run(tmp_path, "ask", "Hi", ARTESIAN_URL=server.url)

    assert "␛]0;evil␇ \ufffd2Jfine" in program.raw
    assert piped.out == "\x1b]0;evil\x07 \x9b2J\rfine\n"
