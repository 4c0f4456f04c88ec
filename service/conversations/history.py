"""Chooses the messages of a conversation that the model gets: the last ones, in a form that every model accepts.

Pure: blocks in, blocks out. A request has to begin with the user, and a tool call has to be followed by its result. A
truncated answer, or a user's message in place of the result, must not make a conversation unusable.
"""

from collections.abc import Sequence

from service.conversations.values import Json, Role, StoredMessage

Turn = tuple[Role, list[Json]]


def window(messages: Sequence[StoredMessage], content: list[Json], max_messages: int, *, tools: bool) -> list[Turn]:
    """Choose the last `max_messages` including `content`, the user's new message, or fewer: they begin with a question.

    If the tool calls of one question alone are more than that, all of them are kept: without their beginning they could
    not be sent. `tools`: whether the request offers tools; without them calls and results are left out.
    """
    turns = _paired(_merged([*_accepted(messages), ("user", content)]), tools=tools)
    first = max(0, len(turns) - max_messages)
    starts = [
        number
        for number, (role, content) in enumerate(turns)
        if role == "user" and not any(block["type"] == "tool_result" for block in content)
    ]
    later = [number for number in starts if number >= first]
    return turns[later[0] if later else starts[-1] :] if starts else []


def unanswered(messages: Sequence[StoredMessage]) -> set[str]:
    """Return the ids of the tool calls at the end of a conversation that wait for a result."""
    last = messages[-1] if messages else None
    if last is None or last.role == "user":
        return set()
    return {block["id"] for block in last.content if block["type"] == "tool_use" and not block.get("server")}


def _accepted(messages: Sequence[StoredMessage]) -> list[Turn]:
    """Leave out what a model does not accept in a request."""
    turns: list[Turn] = []
    for message in messages:
        content = [block for block in message.content if _is_accepted(block, whole=message.status == "complete")]
        if any(block["type"] not in {"reasoning", "cache_point"} for block in content):
            turns.append((message.role, content))
    return turns


def _is_accepted(block: Json, *, whole: bool) -> bool:
    match block["type"]:
        case "text":
            return bool(block["text"].strip())
        case "tool_use":
            return "input_text" not in block and not block.get("server")
        case "tool_result":
            return not block.get("server")
        case "reasoning":
            return whole or "signature" in block or "redacted" in block  # Claude refuses unsigned reasoning
    return True


def _merged(turns: Sequence[Turn]) -> list[Turn]:
    """Join neighbours of one role: a question without an answer is joined with the next, unless both are equal."""
    merged: list[Turn] = []
    for role, content in turns:
        if not merged or merged[-1][0] != role:
            merged.append((role, content))
        elif merged[-1][1] != content:
            merged[-1] = (role, merged[-1][1] + content)
    return merged


def _paired(turns: Sequence[Turn], *, tools: bool) -> list[Turn]:
    """Leave out calls without a result and results without a call."""
    paired: list[Turn] = []
    for number, (role, content) in enumerate(turns):
        beside = _neighbour_ids(turns, number, role) if tools else set()
        remaining = [block for block in content if (name := _call_id(block)) is None or name in beside]
        if any(block["type"] not in {"reasoning", "cache_point"} for block in remaining):
            paired.append((role, remaining))
    return _merged(paired)


def _neighbour_ids(turns: Sequence[Turn], number: int, role: Role) -> set[str]:
    """Return the ids of the calls or results in the neighbour of a turn."""
    other = number + 1 if role == "assistant" else number - 1
    content = turns[other][1] if 0 <= other < len(turns) else []
    return {name for block in content if (name := _call_id(block)) is not None}


def _call_id(block: Json) -> str | None:
    """Return the id of the call that a block makes or answers."""
    match block:
        case {"type": "tool_use", "id": str(name)} | {"type": "tool_result", "tool_use_id": str(name)}:
            return name
    return None
