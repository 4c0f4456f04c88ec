"""Continuation of a truncated answer, without repeated text."""

from collections.abc import Sequence

from msgspec import Struct, structs

from service.answer import Answer
from service.bedrock import estimate
from service.bedrock.catalog.resolution import Target
from service.bedrock.continuation import continuation
from service.deltas import Event, Status, TextDelta
from service.generation import OnInterruption, Request


class Seam:
    """Joins a continued answer to the text that readers have.

    The prefill has no trailing white space (Claude rejects it); the model may repeat that white space, extend it or
    omit it. What readers have is not sent again.
    """

    def __init__(self, shown: str) -> None:
        self.prefill = shown.rstrip()
        self._owed = shown[len(self.prefill) :]  # white space that readers have and the prefill lacks
        self._held = ""
        self._closed = not self._owed

    def join(self, events: Sequence[Event]) -> list[Event]:
        """Remove repeated white space from the start of the continuation."""
        if self._closed:
            return list(events)
        joined: list[Event] = []
        for event in events:
            if not isinstance(event, TextDelta):
                joined.append(event)
            elif text := self._trim(event.text):
                joined.append(TextDelta(event.index, text))
        return joined

    def close(self) -> str:
        """Return the white space to add when the continuation had no other text."""
        held, self._closed = ("" if self._closed else self._held), True
        return held[_overlap(self._owed, held) :]

    def _trim(self, text: str) -> str:
        if self._closed:
            return text
        self._held += text
        said = self._held.lstrip()
        if not said:
            return ""  # only white space so far
        space = self._held[: len(self._held) - len(said)]
        self._closed = True
        return space[_overlap(self._owed, space) :] + said


class Leg(Struct, frozen=True):
    """What an attempt calls: request, target, the seam of a continuation, and the status that readers get first."""

    request: Request
    target: Target
    seam: Seam | None = None
    mark: Status | None = None

    def prompt_tokens(self) -> int:
        """Estimate the input tokens of this call: the prompt, and the text that it continues."""
        return estimate.tokens(self.request) + (estimate.text_tokens(self.seam.prefill) if self.seam else 0)


def next_leg(policy: OnInterruption, first: Leg, shown: Sequence[Event], said_tokens: int) -> Leg | None:
    """Return the call that continues an interrupted answer; None: the policy or the model rules that out."""
    if policy == "restart":
        return structs.replace(first, mark=Status("restarted", message="The answer begins again."))
    text = shown_text(shown) if policy == "continue" else None
    target = continuation(first.target, first.request)
    if text is None or target is None:
        return None
    return Leg(
        request=rest_of(first.request, said_tokens),
        target=target,
        seam=Seam(text),
        mark=Status("continued", model_id=target.model_id, message="The answer continues where it was cut off."),
    )


def _overlap(shown: str, said: str) -> int:
    """Return the length of the longest start of `said` that is an end of `shown`."""
    longest = min(len(shown), len(said))
    return next(size for size in range(longest, -1, -1) if shown.endswith(said[:size]))


def shown_text(events: Sequence[Event]) -> str | None:
    """Return the text that a continuation starts from; None: the answer holds more than text.

    Reasoning and tool call arguments cannot be continued in the middle, nor can what follows them.
    """
    content = Answer(events).content
    if any(block["type"] != "text" for block in content):
        return None
    return "".join(block["text"] for block in content)


def rest_of(request: Request, said_tokens: int) -> Request:
    """Lower `max_tokens` by the tokens that readers have."""
    if request.max_tokens is None:
        return request
    return structs.replace(request, max_tokens=max(1, request.max_tokens - said_tokens))
