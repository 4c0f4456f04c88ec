"""Citations of other wires in Converse's shape."""

from typing import Any

from service.bedrock.json_fields import Json

_PLACES = {
    "char_location": ("documentChar", "document_index", "start_char_index", "end_char_index"),
    "page_location": ("documentPage", "document_index", "start_page_number", "end_page_number"),
    "content_block_location": ("documentChunk", "document_index", "start_block_index", "end_block_index"),
    "search_result_location": ("searchResultLocation", "search_result_index", "start_block_index", "end_block_index"),
}


def from_anthropic(citation: Json) -> Json:
    """Translate one of Anthropic's citations."""
    said: Json = {}
    if title := citation.get("document_title") or citation.get("title"):
        said["title"] = title
    if source := citation.get("source"):
        said["source"] = source
    if text := citation.get("cited_text"):
        said["sourceContent"] = [{"text": text}]
    if location := _location(citation):
        said["location"] = location
    return said


def _location(citation: Json) -> Json:
    kind = citation.get("type")
    if kind == "web_search_result_location":
        return {"web": {"url": citation.get("url")}}
    if not isinstance(kind, str) or kind not in _PLACES:
        return {}
    name, index, start, end = _PLACES[kind]
    document = "searchResultIndex" if name == "searchResultLocation" else "documentIndex"
    place = {document: citation.get(index), "start": citation.get(start), "end": citation.get(end)}
    return {name: {member: value for member, value in place.items() if value is not None}}


def from_cohere(citation: Json) -> Json:
    """Translate one of Cohere's citations: which words of the answer stand on which documents."""
    documents: Any = citation.get("document_ids")
    said: Json = {"sourceContent": [{"text": str(citation.get("text", ""))}]}
    if isinstance(documents, list) and documents:
        said["title"] = ", ".join(str(document) for document in documents)
    return said
