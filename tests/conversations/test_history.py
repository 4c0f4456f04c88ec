"""What of a conversation the model is shown: a table of cases, without a service."""

import pytest

from service.conversations.history import window
from service.conversations.values import Json, Role, StoredMessage, title_of
from service.deltas import Failed

BROKEN = Failed("upstream_truncated", "It broke off.", 502, True, True)


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def call(name: str) -> Json:
    return {"type": "tool_use", "id": name, "name": "look", "input": {}}


def result(name: str) -> Json:
    return {"type": "tool_result", "tool_use_id": name, "content": "there"}


def message(role: Role, *content: Json, end: Failed | None = None) -> StoredMessage:
    return StoredMessage("m", role, list(content), 0, end=end)


def user(*content: Json | str) -> StoredMessage:
    return message("user", *(text(each) if isinstance(each, str) else each for each in content))


def model(*content: Json | str, end: Failed | None = None) -> StoredMessage:
    return message("assistant", *(text(each) if isinstance(each, str) else each for each in content), end=end)


THOUGHT = {"type": "reasoning", "text": "Hm.", "signature": "abc"}
UNSIGNED = {"type": "reasoning", "text": "Hm"}
IMAGE = {"type": "image", "media_type": "image/png", "data": "AA=="}

# what was said before, what is said now, how many messages at most -> what the model is shown: a letter for the role,
# then the blocks in short
CASES = {
    "nothing was said before": ([], "Now", 10, ["u Now"]),
    "a short history is shown whole": ([user("1"), model("2")], "Now", 10, ["u 1", "a 2", "u Now"]),
    "of a long one the last are shown": (
        [user("1"), model("2"), user("3"), model("4")],
        "Now",
        3,
        ["u 3", "a 4", "u Now"],
    ),
    "it never begins with the assistant": ([user("1"), model("2"), user("3"), model("4")], "Now", 2, ["u Now"]),
    "one message at most is what is said now": ([user("1"), model("2")], "Now", 1, ["u Now"]),
    "a call is not parted from its result": (
        [user("1"), model(call("c")), user(result("c")), model("4")],
        "Now",
        3,
        ["u Now"],
    ),
    "a chain of calls is kept whole, even if it is longer than may be": (
        [user("1"), model(call("c")), user(result("c")), model(call("d"))],
        result("d"),
        2,
        ["u 1", "a c", "u =c", "a d", "u =d"],
    ),
    "a call that nobody answered is left out": ([user("1"), model("2", call("c"))], "Now", 10, ["u 1", "a 2", "u Now"]),
    "of two calls the answered one stays": (
        [user("1"), model(call("c"), call("d"))],
        result("d"),
        10,
        ["u 1", "a d", "u =d"],
    ),
    "a reply of nothing but an unanswered call goes, and its neighbours join": (
        [user("1"), model(call("c"))],
        "Now",
        10,
        ["u 1 Now"],
    ),
    "a result whose call is gone goes too": ([user(result("c"), "1"), model("2")], "Now", 10, ["u 1", "a 2", "u Now"]),
    "a reply that broke off is shown as far as it came": (
        [user("1"), model("half", end=BROKEN)],
        "Now",
        10,
        ["u 1", "a half", "u Now"],
    ),
    "a call that broke off in its arguments is left out": (
        [user("1"), model("half", call("c") | {"input_text": '{"a'}, end=BROKEN)],
        "Now",
        10,
        ["u 1", "a half", "u Now"],
    ),
    "a reply of nothing leaves two questions, which become one": (
        [user("1"), model(end=BROKEN)],
        "Now",
        10,
        ["u 1 Now"],
    ),
    "a question that is asked again is shown once": ([user("Now"), model(end=BROKEN)], "Now", 10, ["u Now"]),
    "reasoning is handed back": ([user("1"), model(THOUGHT, "2")], "Now", 10, ["u 1", "a Hm. 2", "u Now"]),
    "reasoning that broke off before its signature is not": (
        [user("1"), model(UNSIGNED, "2", end=BROKEN)],
        "Now",
        10,
        ["u 1", "a 2", "u Now"],
    ),
    "a reply of reasoning alone is left out": ([user("1"), model(THOUGHT, end=BROKEN)], "Now", 10, ["u 1 Now"]),
    "blank text is left out": ([user("1"), model("\n\n", "2")], "Now", 10, ["u 1", "a 2", "u Now"]),
    "what Bedrock's own tools did is left out": (
        [user("1"), model(call("c") | {"server": True}, result("c") | {"server": True}, "2")],
        "Now",
        10,
        ["u 1", "a 2", "u Now"],
    ),
    "an image is shown again": ([user(IMAGE, "1"), model("2")], "Now", 10, ["u image 1", "a 2", "u Now"]),
}


def short(block: Json) -> str:
    match block:
        case {"type": "text" | "reasoning", "text": str(said)}:
            return said
        case {"type": "tool_use", "id": str(name)}:
            return name
        case {"type": "tool_result", "tool_use_id": str(name)}:
            return f"={name}"
    return str(block["type"])


@pytest.mark.parametrize(("before", "now", "most", "shown"), CASES.values(), ids=CASES)
def test_the_model_is_shown(before: list[StoredMessage], now: Json | str, most: int, shown: list[str]) -> None:
    said = [text(now) if isinstance(now, str) else now]

    turns = window(before, said, most, tools=True)

    assert [" ".join([role[0], *map(short, content)]) for role, content in turns] == shown


def test_without_tools_to_offer_calls_and_results_are_left_out() -> None:
    before = [user("1"), model("2", call("c")), user(result("c")), model("4")]

    turns = window(before, [text("Now")], 10, tools=False)

    assert [" ".join([role[0], *map(short, content)]) for role, content in turns] == ["u 1", "a 2 4", "u Now"]


TITLES = {
    "a few words are the title": ([text("Wells  of\nthe town")], "Wells of the town"),
    "many are cut between two": ([text("word " * 30)], "word word word word word word word word word word word word…"),
    "one long word is cut": ([text("x" * 100)], "x" * 60 + "…"),
    "an image without words is an image": ([IMAGE], "Image"),
    "words beside an image count": ([IMAGE, text("Look")], "Look"),
}


@pytest.mark.parametrize(("content", "title"), TITLES.values(), ids=TITLES)
def test_a_title_is_made_of_what_is_said_first(content: list[Json], title: str) -> None:
    assert title_of(content) == title
