"""A history as text, for families whose request is a prompt or plain strings."""

import re
from collections.abc import Callable

from msgspec import Struct

from service.bedrock.catalog.model import Model, Target
from service.bedrock.json_fields import Json
from service.bedrock.rules.parameters import check
from service.bedrock.wires.converse.request import OWN_MEMBERS
from service.bedrock.words import merged, without_cache_points
from service.generation import Image, Message, Request, Text


class DialogueTurn(Struct, frozen=True):
    """What one side said. `images` are base64."""

    role: str
    text: str
    images: tuple[str, ...] = ()


class Dialogue(Struct, frozen=True):
    """A history whose last turn is the user's; `opened` is what the assistant has begun to answer."""

    system: str
    turns: tuple[DialogueTurn, ...]
    opened: str


def accept(request: Request, model: Model) -> None:
    """Refuse what the family has no words for; cache points are passed over.

    Raises:
        InvalidRequest: it names the fields.
    """
    check(without_cache_points(request), Target(model.id, model, "invoke", streams=True))


def dialogue(request: Request, model: Model, prefill: str, *, plain: Callable[[str], str] = str) -> Dialogue:
    """Read a request as a dialogue. `plain` takes the template's own tokens out of what the caller wrote.

    The answer so far is the model's own and is taken as it is.
    """
    accept(request, model)
    turns: list[DialogueTurn] = []
    for message in request.messages:
        turn = _turn(message, plain)
        if turns and turns[-1].role == turn.role:
            turns[-1] = DialogueTurn(turn.role, f"{turns[-1].text}\n{turn.text}", turns[-1].images + turn.images)
        else:
            turns.append(turn)
    opened = turns.pop().text.rstrip() if turns[-1].role == "assistant" else ""
    return Dialogue(plain(request.system_text.strip()), tuple(turns), opened + prefill)


def _turn(message: Message, plain: Callable[[str], str]) -> DialogueTurn:
    text = "\n".join(block.text for block in message.content if isinstance(block, Text))
    return DialogueTurn(
        message.role, plain(text), tuple(block.data for block in message.content if isinstance(block, Image))
    )


def defused(*tokens: str) -> Callable[[str], str]:
    """Make a function that breaks a template's tokens with a space, so that nobody speaks in another's name.

    Bedrock reads the tokens of a raw prompt wherever they stand: a user who writes `<|eot_id|>` would otherwise end the
    turn and begin the system's.
    """
    pattern = re.compile("|".join(tokens))

    def plain(text: str) -> str:
        return pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    return plain


def labelled(talk: Dialogue, user: str, assistant: str) -> str:
    """Write a dialogue with a name before each turn, ending where the assistant speaks."""
    names = {"user": user, "assistant": assistant}
    lines = [f"{names[turn.role]}: {turn.text}" for turn in talk.turns]
    head = [talk.system + "\n"] if talk.system else []
    return "\n".join([*head, *lines, f"{assistant}:"])


def spaced(opened: str) -> str:
    """Set the answer so far behind a label, by a space where it does not begin with one."""
    return opened if not opened or opened[0].isspace() else f" {opened}"


def present(members: Json) -> Json:
    """Keep the members that are set."""
    return {name: value for name, value in members.items() if value not in (None, [], {}, "")}


def finished(body: Json, request: Request, *, stream: bool) -> Json:
    """Add what every family's body may carry: the guardrail's way of streaming, and the caller's own members."""
    guardrail = request.guardrail
    if stream and guardrail and guardrail.stream_mode:
        mode = {"sync": "SYNCHRONOUS", "async": "ASYNCHRONOUS"}[guardrail.stream_mode]
        body["amazon-bedrock-guardrailConfig"] = {"streamProcessingMode": mode}
    return merged(body, {name: value for name, value in request.extra.items() if name not in OWN_MEMBERS})
