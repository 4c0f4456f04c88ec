"""Citations as OpenAI's annotations: the piece of the text that an address on the web stands behind.

A citation comes before the text it belongs to, in the same block (recorded), so where that text ends is known when the
block does. Only citations of web addresses have a form there; those of the caller's own documents have none.
"""

from typing import Any

Json = dict[str, Any]


class Annotations:
    """Collects the citations of one text, and tells them once their pieces are over."""

    def __init__(self) -> None:
        self._index: int | None = None
        self._from = 0
        self._cited: list[tuple[int, Json]] = []
        self._told: list[Json] = []

    def text(self, index: int, length: int) -> None:
        """Note that text of block `index` follows; `length` characters have been said so far."""
        if self._index != index:
            self.close(length)
            self._index, self._from = index, length

    def cite(self, index: int, citation: Json, length: int) -> None:
        """Note a citation of block `index`."""
        self.text(index, length)
        if source := _web(citation):
            self._cited.append((self._from, source))

    def close(self, length: int) -> None:
        """End the block: what was cited in it reaches to here."""
        for start, source in self._cited:
            self._told.append({"start_index": start, "end_index": length} | source)
        self._index, self._cited = None, []

    def take(self) -> list[Json]:
        """Give what has been told since the last time: `start_index`, `end_index`, `title`, `url`."""
        told, self._told = self._told, []
        return told


def _web(citation: Json) -> Json | None:
    """Find the address behind a citation in Converse's shape."""
    match citation:
        case {"location": {"web": {"url": str(url)}}}:
            pass
        case {"source": str(url)} if url.startswith(("https://", "http://")):
            pass
        case _:
            return None
    title = citation.get("title")
    return {"title": title if isinstance(title, str) else "", "url": url}
