"""The families that complete a raw prompt with text alone: Titan, Llama, Command, Jurassic, Mistral, DeepSeek R1."""

from collections.abc import Callable
from functools import partial

from service.local.answer import Block, End
from service.local.families import common
from service.local.families.common import InvokeBody
from service.local.plan import Opening, Plan, Writer
from service.local.prompt import LocalPrompt
from service.local.text.pieces import Manner
from service.local.wire.frames import Json

Whole = Callable[[LocalPrompt, str, End], Json]


def plan(
    asked: InvokeBody, prompt: LocalPrompt, manner: Manner, writer: Callable[[Opening], Writer], whole: Whole
) -> Plan:
    """Plan an answer that is one text."""
    return Plan(
        prompt=prompt,
        manner=manner,
        ids="",
        writer=common.measured(writer, prompt),
        whole=partial(_whole, prompt, whole),
        wild=common.WILD,
        headers=common.STREAM_HEADERS if asked.streaming else (),
    )


def _whole(prompt: LocalPrompt, whole: Whole, said: list[Block], end: End) -> Json:
    text = "".join(block.text for block in said if block.kind == "text")
    return common.guarded(whole(prompt, text, end), prompt, end)
