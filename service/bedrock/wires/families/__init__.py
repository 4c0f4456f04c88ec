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
        Family("claude_text", claude_text.body, claude_text.ClaudeTextDecoder),
        Family("claude_messages", claude_body.body, claude_messages.ClaudeMessagesDecoder),
        Family("nova", nova.body, nova.NovaDecoder),
        Family("titan", titan.body, titan.TitanDecoder),
        Family("llama", llama.body, llama.LlamaDecoder),
        Family("command", command.body, command.CommandDecoder),
        Family("command_r", command_r_body.body, command_r.CommandRDecoder),
        Family("jurassic", jurassic.body, jurassic.JurassicDecoder),
        Family("mistral_prompt", mistral_prompt.body, mistral_prompt.MistralPromptDecoder),
        Family("mistral_chat", mistral_chat.body, mistral_chat.MistralChatDecoder),
        Family("deepseek_r1", deepseek_r1.body, deepseek_r1.DeepSeekR1Decoder),
        Family("openai_chat", openai_chat.body, openai_chat.OpenAIChatDecoder),
        Family("tolerant", tolerant.body, tolerant.TolerantDecoder),
    )
}


def wire_of(target: Target) -> Family:
    """The shape in which a target is spoken with."""
    return CONVERSE if target.api == "converse" else FAMILIES[target.family]
