"""Errors as messages and exit statuses."""

import socket
from pathlib import Path

import pytest
import typer

from artesian import ArtesianError, ConnectionLost, Unreachable
from service.cli.exits import HOW_TO_START, fail_client, sentence
from tests.client.scripted import HEAD, START, answer, event, scripted
from tests.terminal.terminal import run

ERRORS: dict[str, tuple[ArtesianError, int, str]] = {
    "no service": (Unreachable("Nothing."), 3, f"Nothing.\n{HOW_TO_START}"),
    "another server": (ArtesianError("A page.", code="unexpected_answer"), 3, f"A page.\n{HOW_TO_START}"),
    "a missing key": (ArtesianError("No.", code="unauthenticated"), 1, "No. Set ARTESIAN_API_KEY."),
    "throttled": (
        ArtesianError("Slow.", code="throttled", retryable=True),
        1,
        "Slow. (throttled) Retrying may help.",
    ),
    "an invalid request": (ArtesianError("Wrong.", code="validation"), 1, "Wrong. (validation)"),
    "a lost connection": (ConnectionLost("Broken.", stream_id="ab"), 1, "Broken. The stream's id is ab."),
    "a connection that failed at the start": (ConnectionLost("Broken."), 1, "Broken. (disconnected)"),
}


@pytest.mark.parametrize(("error", "status", "message"), ERRORS.values(), ids=ERRORS)
def test_an_error_ends_the_command_with_a_message_and_a_status(
    error: ArtesianError, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exited:
        fail_client(error)

    assert (exited.value.exit_code, sentence(error)) == (status, message)
    assert capsys.readouterr().err == "".join(f"artesian: {line}\n" for line in message.splitlines())


@pytest.mark.parametrize("command", [["ask", "Hi"], ["ask", "Hi", "--json"], ["chat"], ["models"]])
async def test_the_key_is_sent_and_its_rejection_printed(tmp_path: Path, command: list[str]) -> None:
    refusal = b'{"code":"unauthenticated","error":"An API key is needed.","status":401,"retryable":false}'
    async with scripted(answer("401 Unauthorized", refusal, content_type="application/problem+json")) as server:
        ended = await run(tmp_path, *command, ARTESIAN_URL=server.url, ARTESIAN_API_KEY="art_key")

    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "artesian: An API key is needed. Set ARTESIAN_API_KEY.\n"
    assert b"authorization: bearer art_key" in server.requests[0].lower()


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_an_answer_cancelled_elsewhere_is_a_failure(tmp_path: Path, options: list[str]) -> None:
    end = event(3, '{"done":true,"stop_reason":"cancelled","raw_stop_reason":null,"usage":{},"metrics":{}}')
    thought = event(2, '{"text":"Hm."}', "reasoning")
    async with scripted(HEAD + START + thought + end) as server:
        ended = await run(tmp_path, "ask", "Hi", *options, ARTESIAN_URL=server.url)

    assert ended.status == 1


async def test_an_embedded_service_that_cannot_start_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = await run(tmp_path, "ask", "Hi", "--local", ARTESIAN_LOCAL_PORT=port)

    assert ended.status == 1
    assert "artesian: The service could not be started.\n" in ended.err
