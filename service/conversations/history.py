"""What of a conversation the model is shown: the last messages, in a shape that every model takes.

Pure: blocks in, blocks out. A request has to begin with the user, and a call of a tool has to be followed by its
result; an answer that broke off, or a user who asked something else instead of giving the result, must not make a
conversation unusable.
"""

from collections.abc import Sequence

from service.conversations.values import Json, Role, StoredMessage

Turn = tuple[Role, list[Json]]


def window(messages: Sequence[StoredMessage], said: list[Json], max_messages: int, *, tools: bool) -> list[Turn]:
    """Choose the last `max_messages`, what is `said` now included, or a few fewer: they begin with a question.

    Where the calls of one question alone are more than that, all of them are kept: without their beginning they could
    not be sent at all. `tools` is whether the request offers tools: without them calls and results are left out.
    """
    turns = _paired(_merged([*_sayable(messages), ("user", said)]), tools=tools)
    first = max(0, len(turns) - max_messages)
    starts = [number for number, turn in enumerate(turns) if _is_question(turn)]
    later = [number for number in starts if number >= first]
    return turns[later[0] if later else starts[-1] :] if starts else []


def unanswered(messages: Sequence[StoredMessage]) -> set[str]:
    """The calls at the end of a conversation that wait for a result."""
    last = messages[-1] if messages else None
    return set() if last is None or last.role == "user" else {block["id"] for block in _calls(last.content)}


def _sayable(messages: Sequence[StoredMessage]) -> list[Turn]:
    """Leave out what a model cannot be told again."""
    turns: list[Turn] = []
    for message in messages:
        content = [block for block in message.content if _can_be_said(block, whole=message.status == "complete")]
        if any(block["type"] not in {"reasoning", "cache_point"} for block in content):
            turns.append((message.role, content))
    return turns


def _can_be_said(block: Json, *, whole: bool) -> bool:
    match block["type"]:
        case "text":
            return bool(block["text"].strip())
        case "tool_use":
            return "input_text" not in block and not block.get("server")
        case "tool_result":
            return not block.get("server")
        case "reasoning":
            return whole or "signature" in block or "redacted" in block  # Claude refuses thoughts it has not signed
    return True


def _merged(turns: Sequence[Turn]) -> list[Turn]:
    """Join neighbours of one role: a question without an answer goes along with the next, unless it is the same."""
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
        beside = _beside(turns, number, role) if tools else set()
        kept = [block for block in content if (name := _call_of(block)) is None or name in beside]
        if any(block["type"] not in {"reasoning", "cache_point"} for block in kept):
            paired.append((role, kept))
    return _merged(paired)


def _beside(turns: Sequence[Turn], number: int, role: Role) -> set[str]:
    """The calls that the neighbour of a turn makes, or answers."""
    other = number + 1 if role == "assistant" else number - 1
    content = turns[other][1] if 0 <= other < len(turns) else []
    return {name for block in content if (name := _call_of(block)) is not None}


def _call_of(block: Json) -> str | None:
    """The call that a block makes or answers."""
    match block:
        case {"type": "tool_use", "id": str(name)} | {"type": "tool_result", "tool_use_id": str(name)}:
            return name
    return None


def _calls(content: Sequence[Json]) -> list[Json]:
    return [block for block in content if block["type"] == "tool_use" and not block.get("server")]


def _is_question(turn: Turn) -> bool:
    role, content = turn
    return role == "user" and not any(block["type"] == "tool_result" for block in content)
