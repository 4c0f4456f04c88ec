"""The items that a response was asked with, in pages."""

from collections.abc import Sequence
from typing import Any

from service.dialects.openai_responses.response import item_id

Json = dict[str, Any]

ASKED = "in"
"""How the ids of items begin that were asked, and not answered."""


def listed(stream: str, items: Sequence[Json], *, limit: int, newest_first: bool, after: str | None) -> Json:
    """Tell a page of the items, each with an id: its own where it is an earlier output, else its place."""
    named = [_named(stream, number, item) for number, item in enumerate(items)]
    if newest_first:
        named.reverse()
    start = next((place for place, item in enumerate(named, 1) if item["id"] == after), 0)
    page = named[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(named),
    }


def _named(stream: str, number: int, item: Json) -> Json:
    kind = item.get("type") or "message"
    told = {"id": item.get("id") or item_id(ASKED, stream, number), "type": kind} | item
    if kind == "message" and isinstance(said := item.get("content"), str):
        part = "output_text" if item.get("role") == "assistant" else "input_text"
        told["content"] = [{"type": part, "text": said}]
    return told | {"status": item.get("status") or "completed"}
