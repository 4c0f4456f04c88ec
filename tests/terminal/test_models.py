"""`artesian models`."""

import json
from pathlib import Path

from tests.harness import CLAUDE, Service, running
from tests.terminal.terminal import run, terminal


async def test_in_a_terminal_models_are_a_table(tmp_path: Path) -> None:
    aliases = {"quick": {"id": CLAUDE}}
    async with (
        running(model_aliases=aliases) as service,
        terminal(tmp_path, "models", ARTESIAN_URL=service.url) as program,
    ):
        await program.expect(rf"Default: {CLAUDE}\n")
        assert await program.ended() == 0

    lines = program.shown.splitlines()
    assert lines[0].split() == ["Model", "Provider", "Capabilities"]
    assert any(line.startswith(CLAUDE) and "anthropic" in line.lower() for line in lines)
    assert any(line.startswith("= quick") for line in lines)


async def test_in_a_pipe_each_model_is_a_line(service: Service, tmp_path: Path) -> None:
    ended = await run(tmp_path, "models", ARTESIAN_URL=service.url)

    rows = [line.split("\t") for line in ended.out.splitlines()]
    (claude,) = [row for row in rows if row[0] == CLAUDE]
    assert claude[2].lower() == "anthropic"
    assert "streaming" in claude[3].split()
    assert {len(row) for row in rows} == {5}


async def test_json_is_the_services_response(service: Service, tmp_path: Path) -> None:
    ended = await run(tmp_path, "models", "--json", ARTESIAN_URL=service.url)

    assert json.loads(ended.out) == (await service.http.get("/api/models")).json()
