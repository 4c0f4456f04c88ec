"""Quotations from the documents that may be cited."""

import re
from collections.abc import Iterator
from typing import Any

from service.local.prompt import LocalPrompt, Media


def quote_documents(prompt: LocalPrompt) -> Iterator[tuple[str, dict[str, Any]]]:
    """Quote the documents that may be cited: a sentence each, with where it stands."""
    parts = [
        part for turn in prompt.turns for part in turn.parts if isinstance(part, Media) and part.kind == "document"
    ]
    for number, document in enumerate(parts):
        if not document.cited or prompt.prefill:
            continue
        title = document.name or "document"
        if quoted := _first_sentence(document.text):
            start = document.text.index(quoted)
            location = {"documentChar": {"documentIndex": number, "start": start, "end": start + len(quoted)}}
        else:  # no plain text: its first page is cited
            quoted = f"{title}, page 1"
            location = {"documentPage": {"documentIndex": number, "start": 1, "end": 2}}
        citation = {"location": location, "sourceContent": [{"text": quoted}], "title": title}
        yield f"The document says: {quoted} ", citation


def _first_sentence(text: str) -> str:
    found = re.search(r"\S[^.!?\n]{0,200}[.!?]?", text)
    return found[0].strip() if found else ""
