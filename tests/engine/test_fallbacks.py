"""Which models may take the place of another, and what becomes of the request."""

import pytest

from service.access.caller import Caller
from service.bedrock.catalog.resolution import Target, resolve
from service.engine.fallbacks import adapted, allowed, names_of
from service.errors import InvalidRequest
from service.generation import Image, Message, ReasoningBlock, Request, Text
from tests.harness import CLAUDE, settings

NOVA = "amazon.nova-lite-v1:0"
BASE = CLAUDE.removeprefix("global.")


def ask(*blocks: Text | Image, **values: object) -> Request:
    """A request with a history in which the model reasoned."""
    reasoned = Message("assistant", (ReasoningBlock("Hm", "signed"), Text("Well")))
    return Request(CLAUDE, (Message("user", (Text("Hi"),)), reasoned, Message("user", blocks)), **values)  # type: ignore[arg-type]  # whatever is set


def target(model_id: str) -> Target:
    """What is called for a model."""
    return resolve(Request(model_id, ()))


def test_a_model_has_the_name_that_was_used_its_own_and_its_base() -> None:
    assert names_of("fast", settings(model_aliases={"fast": CLAUDE})) == ("fast", CLAUDE, BASE)
    assert names_of(BASE, settings()) == (BASE,)


@pytest.mark.parametrize(
    ("models", "left"),
    [
        (("*",), ("spare", NOVA)),
        (("anthropic.*", "spare"), ("spare",)),
        (("amazon.*",), ("spare", NOVA)),
        (("anthropic.*",), ()),
    ],
)
def test_a_key_falls_back_on_nothing_that_it_may_not_use(models: tuple[str, ...], left: tuple[str, ...]) -> None:
    these = settings(model_aliases={"spare": "amazon.nova-pro-v1:0"}, fallbacks={BASE: ["spare", NOVA]})

    assert allowed(CLAUDE, Caller("a", models=models), these) == left


def test_what_is_said_in_one_familys_own_words_is_nothing_to_another() -> None:
    request, dropped = adapted(ask(Text("Go on"), extra={"thinking": {}}, beta=("x",)), target(CLAUDE), target(NOVA))

    assert dropped == ["extra", "beta"]
    assert request.extra == {}
    assert request.messages[1].content == (Text("Well"),)


def test_within_a_family_everything_stays() -> None:
    asked = ask(Text("Go on"), extra={"thinking": {}})

    assert adapted(asked, target(CLAUDE), target("anthropic.claude-sonnet-4-5-20250929-v1:0")) == (asked, [])


def test_a_request_that_another_model_cannot_take_does_not_fit() -> None:
    with pytest.raises(InvalidRequest):
        adapted(ask(Image("image/png", "AAAA")), target(CLAUDE), target("amazon.nova-micro-v1:0"))
