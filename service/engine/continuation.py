"""Going on with an answer that broke off, so that the reader sees each word once."""

from collections.abc import Sequence

from msgspec import Struct, structs

from service.answer import Answer
from service.bedrock import estimate
from service.bedrock.catalog.resolution import Target
from service.bedrock.continuation import continuation
from service.deltas import Event, Status, TextDelta
from service.generation import OnInterruption, Request


class Seam:
    """Where a continued answer joins the text that was shown.

    The model is given the text without its trailing white space (Claude refuses a prefill that ends in some), and may
    say that white space again, or more of it, or none: what was shown is not shown twice.
    """

    def __init__(self, shown: str) -> None:
        self.prefill = shown.rstrip()
        self._owed = shown[len(self.prefill) :]  # white space the reader has and the model has not
        self._held = ""
        self._closed = not self._owed

    def join(self, events: Sequence[Event]) -> list[Event]:
        """Take the doubled white space off the front of what the model now says."""
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
        """Return what is left at the end of an answer that had nothing but white space to add."""
        held, self._closed = ("" if self._closed else self._held), True
        return held[_overlap(self._owed, held) :]

    def _trim(self, text: str) -> str:
        if self._closed:
            return text
        self._held += text
        said = self._held.lstrip()
        if not said:
            return ""  # still at the seam
        space = self._held[: len(self._held) - len(said)]
        self._closed = True
        return space[_overlap(self._owed, space) :] + said


class Leg(Struct, frozen=True):
    """One attempt's part of a generation: what is asked of whom, and what is said to the reader where it joins."""

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
        mark=Status("continued", model_id=target.model_id, message="The answer goes on where it broke off."),
    )


def _overlap(shown: str, said: str) -> int:
    """How much of the beginning of `said` is the end of `shown` already."""
    longest = min(len(shown), len(said))
    return next(size for size in range(longest, -1, -1) if shown.endswith(said[:size]))


def shown_text(events: Sequence[Event]) -> str | None:
    """Return the text that an answer can be gone on from; None where it holds more than text.

    Reasoning and the arguments of a tool call cannot be gone on with in the middle, nor can what follows them.
    """
    content = Answer(events).content
    if any(block["type"] != "text" for block in content):
        return None
    return "".join(block["text"] for block in content)


def rest_of(request: Request, said_tokens: int) -> Request:
    """Ask for no more than is left of the limit."""
    if request.max_tokens is None:
        return request
    return structs.replace(request, max_tokens=max(1, request.max_tokens - said_tokens))
