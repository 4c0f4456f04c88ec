"""The messages of a conversation that the model gets: a table of cases, without a service."""

import pytest

from service.conversations.history import window
from service.conversations.values import Json, Role, StoredMessage, title_of
from service.deltas import Failed

BROKEN = Failed("upstream_truncated", "The answer is truncated.", 502, True, True)


def text(value: str) -> Json:
    return {"type": "text", "text": value}


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

# earlier messages, the new message, max_messages -> what the model gets: a letter for the role, then the blocks in
# short
CASES = {
    "no earlier messages": ([], "Now", 10, ["u Now"]),
    "a short history is sent whole": ([user("1"), model("2")], "Now", 10, ["u 1", "a 2", "u Now"]),
    "of a long history the last messages are sent": (
        [user("1"), model("2"), user("3"), model("4")],
        "Now",
        3,
        ["u 3", "a 4", "u Now"],
    ),
    "it never begins with the assistant": ([user("1"), model("2"), user("3"), model("4")], "Now", 2, ["u Now"]),
    "a limit of one message leaves the new one": ([user("1"), model("2")], "Now", 1, ["u Now"]),
    "a call is not separated from its result": (
        [user("1"), model(call("c")), user(result("c")), model("4")],
        "Now",
        3,
        ["u Now"],
    ),
    "a chain of calls is kept whole, even beyond the limit": (
        [user("1"), model(call("c")), user(result("c")), model(call("d"))],
        result("d"),
        2,
        ["u 1", "a c", "u =c", "a d", "u =d"],
    ),
    "an unanswered call is left out": ([user("1"), model("2", call("c"))], "Now", 10, ["u 1", "a 2", "u Now"]),
    "of two calls the answered one stays": (
        [user("1"), model(call("c"), call("d"))],
        result("d"),
        10,
        ["u 1", "a d", "u =d"],
    ),
    "a reply with only an unanswered call is left out, and its neighbours are joined": (
        [user("1"), model(call("c"))],
        "Now",
        10,
        ["u 1 Now"],
    ),
    "a result without its call is left out": ([user(result("c"), "1"), model("2")], "Now", 10, ["u 1", "a 2", "u Now"]),
    "a truncated reply is sent with its content so far": (
        [user("1"), model("half", end=BROKEN)],
        "Now",
        10,
        ["u 1", "a half", "u Now"],
    ),
    "a call with truncated arguments is left out": (
        [user("1"), model("half", call("c") | {"input_text": '{"a'}, end=BROKEN)],
        "Now",
        10,
        ["u 1", "a half", "u Now"],
    ),
    "an empty reply leaves two questions, which are joined": (
        [user("1"), model(end=BROKEN)],
        "Now",
        10,
        ["u 1 Now"],
    ),
    "a repeated question is sent once": ([user("Now"), model(end=BROKEN)], "Now", 10, ["u Now"]),
    "reasoning is sent back": ([user("1"), model(THOUGHT, "2")], "Now", 10, ["u 1", "a Hm. 2", "u Now"]),
    "reasoning truncated before its signature is left out": (
        [user("1"), model(UNSIGNED, "2", end=BROKEN)],
        "Now",
        10,
        ["u 1", "a 2", "u Now"],
    ),
    "a reply of reasoning alone is left out": ([user("1"), model(THOUGHT, end=BROKEN)], "Now", 10, ["u 1 Now"]),
    "blank text is left out": ([user("1"), model("\n\n", "2")], "Now", 10, ["u 1", "a 2", "u Now"]),
    "calls of Bedrock's own tools are left out": (
        [user("1"), model(call("c") | {"server": True}, result("c") | {"server": True}, "2")],
        "Now",
        10,
        ["u 1", "a 2", "u Now"],
    ),
    "an image is sent again": ([user(IMAGE, "1"), model("2")], "Now", 10, ["u image 1", "a 2", "u Now"]),
}


def short(block: Json) -> str:
    match block:
        case {"type": "text" | "reasoning", "text": str(value)}:
            return value
        case {"type": "tool_use", "id": str(name)}:
            return name
        case {"type": "tool_result", "tool_use_id": str(name)}:
            return f"={name}"
    return str(block["type"])


@pytest.mark.parametrize(("before", "now", "most", "shown"), CASES.values(), ids=CASES)
def test_the_model_gets(before: list[StoredMessage], now: Json | str, most: int, shown: list[str]) -> None:
    content = [text(now) if isinstance(now, str) else now]

    turns = window(before, content, most, tools=True)

    assert [" ".join([role[0], *map(short, content)]) for role, content in turns] == shown


def test_without_tools_calls_and_results_are_left_out() -> None:
    before = [user("1"), model("2", call("c")), user(result("c")), model("4")]

    turns = window(before, [text("Now")], 10, tools=False)

    assert [" ".join([role[0], *map(short, content)]) for role, content in turns] == ["u 1", "a 2 4", "u Now"]


TITLES = {
    "a few words are the title": ([text("Wells  of\nthe town")], "Wells of the town"),
    "many are cut between two": (
        [text("word " * 30)],
        "word word word word word word word word word word word word…",
    ),
    "one long word is cut": ([text("x" * 100)], "x" * 60 + "…"),
    "an image without words is an image": ([IMAGE], "Image"),
    "text beside an image is the title": ([IMAGE, text("Look")], "Look"),
}


@pytest.mark.parametrize(("content", "title"), TITLES.values(), ids=TITLES)
def test_a_title_is_made_from_the_first_message(content: list[Json], title: str) -> None:
    assert title_of(content) == title
