"""The list of models, as OpenAI's and Anthropic's clients read it."""

from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from service.dialects.models import Card, model, models
from tests.dialects.served import Served

CARDS = [
    Card("a", "Model A", "anthropic", 1790000000, 200_000, 64_000),
    Card("b", "Model B", "amazon"),
    Card("c", "Model C", "meta"),
]


def test_openais_client_lists_them(served: Served) -> None:
    with OpenAI(base_url=served.json(models(CARDS)), api_key="k") as client:
        listed = list(client.models.list())
    assert [(one.id, one.object, one.owned_by) for one in listed] == [
        ("a", "model", "anthropic"),
        ("b", "model", "amazon"),
        ("c", "model", "meta"),
    ]
    assert listed[0].created == 1790000000


def test_anthropics_client_lists_them(served: Served) -> None:
    with Anthropic(base_url=served.json(models(CARDS)), api_key="k") as client:
        listed = list(client.models.list())
    assert [(one.id, one.type, one.display_name) for one in listed] == [
        ("a", "model", "Model A"),
        ("b", "model", "Model B"),
        ("c", "model", "Model C"),
    ]
    assert listed[0].created_at.timestamp() == 1790000000
    assert (listed[0].max_input_tokens, listed[0].max_tokens) == (200_000, 64_000)


def test_both_clients_read_one(served: Served) -> None:
    url = served.json(model(CARDS[0]))
    with OpenAI(base_url=url, api_key="k") as theirs, Anthropic(base_url=url, api_key="k") as others:
        assert theirs.models.retrieve("a").id == others.models.retrieve("a").id == "a"


@pytest.mark.parametrize(
    ("page", "ids", "more"),
    [
        ({"limit": 2}, ["a", "b"], True),
        ({"limit": 3}, ["a", "b", "c"], False),
        ({"limit": 1, "after_id": "a"}, ["b"], True),
        ({"after_id": "b"}, ["c"], False),
        ({"before_id": "c", "limit": 1}, ["b"], True),
        ({"after_id": "nobody"}, ["a", "b", "c"], False),
        ({"after_id": "c"}, [], False),
    ],
)
def test_anthropics_pages(page: dict[str, Any], ids: list[str], *, more: bool) -> None:
    listed = models(CARDS, **page)
    assert [one["id"] for one in listed["data"]] == ids
    assert listed["has_more"] is more
    assert (listed["first_id"], listed["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
