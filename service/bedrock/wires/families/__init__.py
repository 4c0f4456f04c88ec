"""The families by name, and which of them (or Converse) speaks for a target."""

from service.bedrock.catalog.model import Target
from service.bedrock.wires.converse import CONVERSE
from service.bedrock.wires.families import (
    claude_body,
    claude_messages,
    claude_text,
    command,
    command_r,
    command_r_body,
    deepseek_r1,
    jurassic,
    llama,
    mistral_chat,
    mistral_prompt,
    nova,
    openai_chat,
    titan,
    tolerant,
)
from service.bedrock.wires.family import Family

__all__ = ["FAMILIES", "wire_of"]

FAMILIES = {
    family.name: family
    for family in (
        Family("claude_text", claude_text.body, claude_text.Decoder),
        Family("claude_messages", claude_body.body, claude_messages.Decoder),
        Family("nova", nova.body, nova.Decoder),
        Family("titan", titan.body, titan.Decoder),
        Family("llama", llama.body, llama.Decoder),
        Family("command", command.body, command.Decoder),
        Family("command_r", command_r_body.body, command_r.Decoder),
        Family("jurassic", jurassic.body, jurassic.Decoder),
        Family("mistral_prompt", mistral_prompt.body, mistral_prompt.Decoder),
        Family("mistral_chat", mistral_chat.body, mistral_chat.Decoder),
        Family("deepseek_r1", deepseek_r1.body, deepseek_r1.Decoder),
        Family("openai_chat", openai_chat.body, openai_chat.Decoder),
        Family("tolerant", tolerant.body, tolerant.Decoder),
    )
}


def wire_of(target: Target) -> Family:
    """The shape in which a target is spoken with."""
    return CONVERSE if target.api == "converse" else FAMILIES[target.family]
