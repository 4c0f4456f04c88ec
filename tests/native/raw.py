"""A stream's bytes as they came, taken apart by hand: what a reader that is not lenient would see."""

from typing import NamedTuple

from tests.harness import Json, Service, fault_header


class Raw(NamedTuple):
    """A response and its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def blocks(self) -> list[dict[str, str]]:
        """Each event's fields as they stand; a comment stands under `""`. The body has to end with a blank line."""
        assert self.body.endswith(b"\n\n")
        return [_fields(block) for block in self.body.decode().removesuffix("\n\n").split("\n\n")]


def _fields(block: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, separator, value = line.partition(":")
        assert separator, f"a line without a field: {line!r}"
        assert name not in fields, f"a field twice in one block: {block!r}"
        fields[name] = value.removeprefix(" ")
    return fields


async def read_raw(service: Service, *, fault: str | None = None, headers: Json | None = None, **body: object) -> Raw:
    """Post, and keep everything as it came."""
    sent = {**fault_header(fault), **(headers or {})}
    response = await service.http.post("/api/generate/stream", json={"prompt": "Hi"} | body, headers=sent)
    return Raw(response.status_code, dict(response.headers), response.content)
