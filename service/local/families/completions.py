"""The plan of the families that complete a raw prompt with one text: Titan, Llama, Command, Jurassic, Mistral."""

from collections.abc import Callable

from service.local.answer import End
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
    write_body: BodyWriter,
) -> Plan:
    """Plan an answer that is one text."""
    return Plan(
        prompt=prompt,
        chunking=chunking,
        id_prefix="",
        make_writer=common.with_metrics(writer, prompt),
        write_body=lambda blocks, end: common.with_guardrail_action(
            write_body(prompt, common.join_text(blocks), end), prompt, end
        ),
        unknown_frame=common.UNKNOWN_CHUNK,
        headers=request.response_headers,
    )
