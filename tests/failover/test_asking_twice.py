"""`Idempotency-Key` over replicas: one generation, whoever is asked and however often."""

import asyncio

from tests.failover.conftest import Pair
from tests.failover.processes import http
from tests.failover.proxy import proxy
from tests.failover.reader import Reader, question


async def test_fifty_posts_at_once_with_one_key_over_two_replicas_make_one_upstream_call(pair: Pair) -> None:
    before = len(await pair.bedrock.all_calls())
    key = {"Idempotency-Key": "fifty"}

    async with proxy(pair.here.port, pair.there.port) as way:
        readers = [Reader(way.url, body=question(), headers=key) for _ in range(50)]
        await asyncio.gather(*(reader.run() for reader in readers))

        for reader in readers:
            assert reader.events == readers[0].events
            assert reader.connections == 1
        assert way.connections == len(readers)
    assert len(await pair.bedrock.all_calls()) == before + 1


async def test_another_body_under_a_key_of_another_replica_is_refused(pair: Pair) -> None:
    key = {"Idempotency-Key": "once"}
    await Reader(pair.here, body=question(), headers=key).run()
    async with http(pair.there.url) as there:
        answer = await there.post("/api/generate", json=question(max_tokens=9), headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation")
