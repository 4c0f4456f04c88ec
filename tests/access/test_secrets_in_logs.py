"""No response and no log contains a key or a hash, at any level; a key's id is logged."""

import logging
from pathlib import Path
from typing import Any

import pytest

from service.access.keys import hash_key
from tests.access.holders import EVENTS, add_key, held


async def test_no_log_and_no_response_contains_keys_or_tickets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with held(tmp_path, {"ann": {}, "reader": {"scopes": ["read"]}}) as [ann, reader]:
        http, answers = ann.service.http, []
        ticket = await ann.ticket()
        calls: list[tuple[str, str, Any, dict[str, str]]] = [
            ("POST", "/api/generate", {"prompt": "Hi"}, ann.header),
            ("POST", "/api/generate", {"prompt": "Hi", "nonsense": 1}, ann.header),
            ("POST", "/api/generate", {"prompt": "Hi"}, reader.header),
            ("POST", "/v1/chat/completions", {"model": "x"}, {"x-api-key": ann.key}),
            ("GET", f"/api/models?api_key={ann.key}", None, {}),
            ("GET", "/api/models", None, {"x-api-key": f"{ann.key}x"}),
            ("GET", f"/api/generate?prompt=Hi&ticket={ticket}", None, EVENTS),
            ("GET", f"/api/generate?prompt=Hi&ticket={ticket}x", None, EVENTS),
            ("GET", "/readyz", None, ann.header),
            ("GET", "/nothing", None, ann.header),
        ]
        for method, path, body, headers in calls:
            response = await http.request(method, path, json=body, headers=headers)
            answers.append(response.text + str(response.headers))
        add_key(tmp_path / "keys.json", "bob")
        await ann.generate()
        (tmp_path / "keys.json").write_text("{")
        await http.get("/api/models", headers={"x-api-key": "art_unknown"})
        secrets = [ann.key, reader.key, hash_key(ann.key).hex(), hash_key(reader.key).hex(), ticket]

    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    logged = [f"{record.getMessage()} {record.__dict__}" for record in ours]
    for secret in secrets:
        assert not any(secret in line for line in logged)
        assert not any(secret in answer for answer in answers)
    assert any(getattr(record, "key_id", None) == "ann" for record in ours)
