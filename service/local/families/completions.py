"""The families that complete a raw prompt with text alone: Titan, Llama, Command, Jurassic, Mistral, DeepSeek R1."""

from collections.abc import Callable
from functools import partial

from service.local.answer import Block, End
from service.local.families import common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart, Writer
from service.local.prompt import LocalPrompt
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json

BodyWriter = Callable[[LocalPrompt, str, End], Json]


def plan(
    request: InvokeRequest,
    prompt: LocalPrompt,
    chunking: Chunking,
    writer: Callable[[StreamStart], Writer],
    whole: BodyWriter,
) -> Plan:
    """Plan an answer that is one text."""
    return Plan(
        prompt=prompt,
        chunking=chunking,
        id_prefix="",
        make_writer=common.with_metrics(writer, prompt),
        write_body=partial(_whole, prompt, whole),
        unknown_frame=common.UNKNOWN_CHUNK,
        headers=common.STREAM_HEADERS if request.streaming else (),
    )


def _whole(prompt: LocalPrompt, whole: BodyWriter, said: list[Block], end: End) -> Json:
    text = "".join(block.text for block in said if block.kind == "text")
    return common.with_guardrail_action(whole(prompt, text, end), prompt, end)
