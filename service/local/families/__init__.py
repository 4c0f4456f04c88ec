"""InvokeModel and InvokeModelWithResponseStream: the formats of the families."""

from service.bedrock.catalog.resolution import Model
from service.local.families import (
    claude_messages,
    claude_text,
    command,
    command_r,
    deepseek_r1,
    jurassic,
    llama,
    mistral_chat,
    mistral_prompt,
    nova,
    openai_chat,
    titan,
)
from service.local.families.common import InvokeRequest
from service.local.families.guardrail_member import check_guardrail, split
from service.local.plan import Plan
from service.local.wire.send import LocalRequest

_PLANS = {
    "claude_messages": claude_messages.plan,
    "claude_text": claude_text.plan,
    "command": command.plan,
    "command_r": command_r.plan,
    "deepseek_r1": deepseek_r1.plan,
    "jurassic": jurassic.plan,
    "llama": llama.plan,
    "mistral_chat": mistral_chat.plan,
    "mistral_prompt": mistral_prompt.plan,
    "nova": nova.plan,
    "openai_chat": openai_chat.plan,
    "titan": titan.plan,
}


def plan(body: object, model: Model, request: LocalRequest, *, streaming: bool) -> Plan:
    """Plan the answer to a body of InvokeModel.

    Raises:
        LocalRefusal: the family rejects the body.
    """
    members, config = split(body)
    invoke_request = InvokeRequest(members, model, streaming, request.headers, request.local.prompts)
    check_guardrail(config, invoke_request.guardrail)
    return _PLANS[model.family](invoke_request)
