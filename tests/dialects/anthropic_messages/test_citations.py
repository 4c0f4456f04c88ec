"""Citations in Anthropic's shape, from Converse's."""

from typing import Any

import pytest

from service.dialects.anthropic_messages.citations import citation

CITED = [{"text": "It "}, {"text": "rains."}]

CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "characters": (
        {
            "title": "Guide",
            "sourceContent": CITED,
            "location": {"documentChar": {"documentIndex": 1, "start": 2, "end": 9}},
        },
        {
            "type": "char_location",
            "cited_text": "It rains.",
            "document_index": 1,
            "document_title": "Guide",
            "file_id": None,
            "start_char_index": 2,
            "end_char_index": 9,
        },
    ),
    "pages": (
        {"location": {"documentPage": {"documentIndex": 0, "start": 2, "end": 3}}},
        {
            "type": "page_location",
            "cited_text": "",
            "document_index": 0,
            "document_title": None,
            "file_id": None,
            "start_page_number": 2,
            "end_page_number": 3,
        },
    ),
    "blocks": (
        {"location": {"documentChunk": {"documentIndex": 0, "start": 2, "end": 3}}},
        {
            "type": "content_block_location",
            "cited_text": "",
            "document_index": 0,
            "document_title": None,
            "file_id": None,
            "start_block_index": 2,
            "end_block_index": 3,
        },
    ),
    "the web": (
        {
            "title": "Oslo",
            "sourceContent": CITED,
            "location": {"web": {"url": "https://oslo.example", "domain": "oslo"}},
        },
        {
            "type": "web_search_result_location",
            "url": "https://oslo.example",
            "encrypted_index": "",
            "cited_text": "It rains.",
            "title": "Oslo",
        },
    ),
    "search results of the caller's": (
        {"source": "s", "location": {"searchResultLocation": {"searchResultIndex": 1, "start": 0, "end": 2}}},
        {
            "type": "search_result_location",
            "search_result_index": 1,
            "source": "s",
            "start_block_index": 0,
            "end_block_index": 2,
            "cited_text": "",
            "title": None,
        },
    ),
    "nowhere": ({"title": "Guide"}, None),
    "a place we do not know": ({"location": {"moon": {"crater": 5}}}, None),
    "the web without an address": ({"location": {"web": {}}}, None),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_a_citation(given: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert citation(given) == expected
