"""`docs/openapi.json`: the interface in the repository, so that a change of it is seen by whoever reads the change."""

import difflib
import json

from tests.documents.interface import FILE, written
from tests.harness import Json, Service

LINES = 80


def test_the_interface_in_the_repository_is_the_services() -> None:
    kept, now = FILE.read_text(encoding="utf-8"), written()
    difference = list(
        difflib.unified_diff(kept.splitlines(), now.splitlines(), "docs/openapi.json", "the service", n=2)
    )

    if difference:
        more = f"\n… and {len(difference) - LINES} lines more" if len(difference) > LINES else ""
        shown = "\n".join(difference[:LINES])
        raise AssertionError(
            f"The interface has changed. `.venv/bin/python -m tests.documents.interface` writes it anew.\n{shown}{more}"
        )


async def test_it_is_what_the_service_answers_with(service: Service) -> None:
    answered: Json = (await service.http.get("/openapi.json")).json()

    assert json.loads(FILE.read_text(encoding="utf-8")) == answered
