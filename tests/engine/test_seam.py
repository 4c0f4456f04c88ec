"""Where a continued answer joins what was shown: each word once, and no white space twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.deltas import Event, ReasoningDelta, TextDelta, ToolCallStart
from service.engine.continuation import Seam, rest_of, shown_text
from service.generation import Message, Request, Text

WORDS = st.text(alphabet="ab \n\t", max_size=12)


def joined(shown: str, said: list[str]) -> str:
    """What the reader has in the end."""
    seam = Seam(shown)
    events: list[Event] = []
    for piece in said:
        events += seam.join([TextDelta(0, piece)])
    return shown + "".join(event.text for event in events if isinstance(event, TextDelta)) + seam.close()


JOINS = {
    "a cut inside a word": ("Hel", ["lo there"], "Hello there"),
    "a cut before a space": ("Hello", [" there"], "Hello there"),
    "a space that the model says again": ("Hello ", [" there"], "Hello there"),
    "a space that the model takes as said": ("Hello ", ["there"], "Hello there"),
    "a line's end, of which the model says one more": ("One.\n", ["\n\nTwo."], "One.\n\nTwo."),
    "white space in pieces of its own": ("One. ", [" ", "\n", "Two."], "One. \nTwo."),
    "nothing but white space to add": ("One.\n", ["\n", "\n"], "One.\n\n"),
    "nothing at all to add": ("One. ", [], "One. "),
}


@pytest.mark.parametrize(("shown", "said", "whole"), JOINS.values(), ids=JOINS)
def test_an_answer_goes_on(shown: str, said: list[str], whole: str) -> None:
    assert joined(shown, said) == whole


@given(whole=WORDS, cut=st.integers(0, 12), pieces=st.integers(1, 4))
def test_a_model_that_says_the_rest_of_what_it_was_given_makes_the_answer_whole(
    whole: str, cut: int, pieces: int
) -> None:
    shown = whole[:cut]
    rest = whole[len(shown.rstrip()) :]
    said = [rest[place : place + pieces] for place in range(0, len(rest), pieces)]

    assert joined(shown, said) == whole


def test_the_prefill_has_no_white_space_at_its_end() -> None:
    assert Seam("Hello \n").prefill == "Hello"


def test_text_alone_can_be_gone_on_from() -> None:
    assert shown_text([TextDelta(0, "Hel"), TextDelta(0, "lo")]) == "Hello"
    assert shown_text([ReasoningDelta(0, text="Hm."), TextDelta(1, "Hello")]) is None
    assert shown_text([TextDelta(0, "Hello"), ToolCallStart(1, "t1", "look")]) is None


def test_the_rest_of_an_answer_may_be_no_longer_than_its_limit_leaves() -> None:
    request = Request("m", (Message("user", (Text("Hi"),)),), max_tokens=100)

    assert rest_of(request, 30).max_tokens == 70
    assert rest_of(request, 100).max_tokens == 1
