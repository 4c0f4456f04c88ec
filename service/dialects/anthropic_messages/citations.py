"""Citations in Anthropic's shape, from Converse's."""

from typing import Any

Json = dict[str, Any]

_RANGES = {
    "documentChar": ("char_location", "start_char_index", "end_char_index"),
    "documentPage": ("page_location", "start_page_number", "end_page_number"),
    "documentChunk": ("content_block_location", "start_block_index", "end_block_index"),
}


def citation(given: Json) -> Json | None:
    """Translate one citation. None where Anthropic has no word for its kind of place."""
    location = given.get("location")
    if not isinstance(location, dict) or len(location) != 1:
        return None
    ((kind, place),) = location.items()
    common = {"cited_text": _cited(given), "title": given.get("title")}
    match kind, place:
        case "web", {"url": str(url)}:
            # `encrypted_index` lets Anthropic find the passage again; Bedrock has none, and the SDKs want a string.
            return {"type": "web_search_result_location", "url": url, "encrypted_index": ""} | common
        case "searchResultLocation", dict():
            return {
                "type": "search_result_location",
                "search_result_index": place.get("searchResultIndex", 0),
                "source": given.get("source") or "",
                "start_block_index": place.get("start", 0),
                "end_block_index": place.get("end", 0),
            } | common
        case str(), dict() if kind in _RANGES:
            return _in_document(kind, place, given)
    return None


def _in_document(kind: str, place: Json, given: Json) -> Json:
    name, start, end = _RANGES[kind]
    return {
        "type": name,
        "cited_text": _cited(given),
        "document_index": place.get("documentIndex", 0),
        "document_title": given.get("title"),
        "file_id": None,
        start: place.get("start", 0),
        end: place.get("end", 0),
    }


def _cited(given: Json) -> str:
    pieces = given.get("sourceContent")
    if not isinstance(pieces, list):
        return ""
    return "".join(piece["text"] for piece in pieces if isinstance(piece, dict) and isinstance(piece.get("text"), str))
