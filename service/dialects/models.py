"""The list of models, in one shape that OpenAI's and Anthropic's clients both read."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

Json = dict[str, Any]


class Card(NamedTuple):
    """What is told of a model. `created` is in Unix seconds; 0: nobody has said. Numbers are tokens."""

    id: str
    name: str
    provider: str
    created: int = 0
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None


def model(card: Card) -> Json:
    """Tell one model."""
    return {
        "id": card.id,
        "object": "model",
        "created": card.created,
        "owned_by": card.provider,
        "type": "model",
        "display_name": card.name,
        "created_at": datetime.fromtimestamp(card.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": card.max_input_tokens,
        "max_tokens": card.max_output_tokens,
    }


def models(
    cards: Sequence[Card], *, limit: int | None = None, after_id: str | None = None, before_id: str | None = None
) -> Json:
    """Tell a page of models: all of them, unless Anthropic's `limit`, `after_id` or `before_id` ask for less.

    An id that is not in the list is passed over.
    """
    ids = [card.id for card in cards]
    start = ids.index(after_id) + 1 if after_id in ids else 0
    end = ids.index(before_id) if before_id in ids else len(cards)
    page = cards[start:end]
    more = False
    if limit is not None and len(page) > limit:
        more = True
        page = page[-limit:] if before_id in ids else page[:limit]  # backwards, the nearest come last
    return {
        "object": "list",
        "data": [model(card) for card in page],
        "has_more": more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }
