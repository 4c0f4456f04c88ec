"""Quotes the documents of a prompt as citations."""

import re
from collections.abc import Iterator
from typing import Any

from service.local.prompt import LocalPrompt, Media


def quote_documents(prompt: LocalPrompt) -> Iterator[tuple[str, dict[str, Any]]]:
    """Quote a sentence of each document with citations enabled; yield the text and its citation."""
    parts = [
        part for turn in prompt.turns for part in turn.parts if isinstance(part, Media) and part.kind == "document"
    ]
    for number, document in enumerate(parts):
        if not document.cited or prompt.prefill:
            continue
        title = document.name or "document"
        found = re.search(r"\S[^.!?\n]{0,200}[.!?]?", document.text)
        if quoted := found[0].strip() if found else "":
            start = document.text.index(quoted)
            location = {"documentChar": {"documentIndex": number, "start": start, "end": start + len(quoted)}}
        else:  # not a plain text: cite the first page
            quoted = f"{title}, page 1"
            location = {"documentPage": {"documentIndex": number, "start": 1, "end": 2}}
        citation = {"location": location, "sourceContent": [{"text": quoted}], "title": title}
        yield f"The document says: {quoted} ", citation
