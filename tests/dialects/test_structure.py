"""Counting JSON without building it: exact for any text, however it is cut into pieces."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dialects import structure
from service.errors import InvalidRequest

TEXT = st.text(alphabet='a"\\[]{},: é😀\n', max_size=9)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=30,
)


def counted(value: Any) -> tuple[int, int]:
    """Values and levels of a tree."""
    if not isinstance(value, dict | list):
        return 1, 0
    inner = [counted(one) for one in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(values for values, _ in inner), 1 + max((levels for _, levels in inner), default=0)


@settings(max_examples=100, deadline=None)
@given(value=ANYTHING, plain=st.booleans(), indent=st.sampled_from([None, 1]), piece=st.sampled_from([5, 16, 65_536]))
def test_values_and_levels_are_exact(value: Any, plain: bool, indent: int | None, piece: int) -> None:  # noqa: FBT001
    text = json.dumps(value, ensure_ascii=plain, indent=indent).encode()
    values, levels = counted(value)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(structure, "_PIECE", piece)
        found = structure.measure(text, levels)

        assert (found.values, found.too_deep, found.closed) == (values, False, True)
        assert levels == 0 or structure.measure(text, levels - 1).too_deep


def test_the_bound_is_exact() -> None:
    def body(count: int) -> bytes:  # the request, `extra` and the list are values too
        return b'{"extra":{"a":[%b]}}' % b",".join([b"1"] * (count - 3))

    structure.check(body(structure.VALUES), 500)
    with pytest.raises(InvalidRequest, match="extra: holds more than 1,000,000 values"):
        structure.check(body(structure.VALUES + 1), 500)


def test_levels_are_those_of_the_whole_body() -> None:
    def body(levels: int) -> bytes:
        return b'{"extra":%b%b}' % (b"[" * (levels - 1), b"]" * (levels - 1))

    structure.check(body(64), 500)
    with pytest.raises(InvalidRequest, match="extra: is nested more than 64 levels deep"):
        structure.check(body(65), 500)


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"a":"' + b"[" * 200_000, b"]" * 200_000, b"[[" * 100 + b"]" * 100, b"\\" * 70_000]
)
def test_what_is_no_json_is_left_to_its_parser(text: bytes) -> None:
    structure.check(text, 500)


@pytest.mark.parametrize("piece", [b"{}", b"[]", b'"ab"', b'{"type":"text","text":"x"}'])
def test_a_large_body_of_small_values_is_refused_before_it_is_built(piece: bytes) -> None:
    count = min(900_000, 1_500_000 // len(piece))
    body = b'{"messages":[%b]}' % b",".join([piece] * count)

    structure.check(b'{"messages":[%b]}' % b",".join([piece] * 10_000), 500)
    with pytest.raises(InvalidRequest, match="messages: holds too many small values"):
        structure.check(body, 500)
