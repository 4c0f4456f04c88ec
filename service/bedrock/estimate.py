"""How many tokens a request may have, where the model cannot count them itself: an estimate, and to be called one."""

from math import ceil

import msgspec

from service.bedrock.words import offered, placed
from service.generation import Block, Document, Image, ReasoningBlock, Request, Text, Tool, ToolResult, ToolUse

_BYTES_A_TOKEN = 4  # the usual rule for English; one character of most other scripts is three bytes
_A_MESSAGE = 4  # tokens around each
_AN_IMAGE = 1600  # tokens of a large one; Claude scales down what would take more
_A_DOCUMENT_S_BYTES_A_TOKEN = 16  # of a PDF most bytes are not text


def tokens(request: Request) -> int:
    """Estimate the input tokens of a request."""
    blocks = [block for _, block in placed(request)]
    spoken = request.system_text, *(_words(tool) for tool in offered(request))
    written = sum(len(text.encode()) for text in spoken) / _BYTES_A_TOKEN
    return ceil(written + sum(map(_block, blocks)) + _A_MESSAGE * len(request.messages))


def text_tokens(text: str) -> int:
    """Estimate the tokens of a text."""
    return ceil(len(text.encode()) / _BYTES_A_TOKEN)


def _words(tool: Tool) -> str:
    return f"{tool.name} {tool.description or ''} {msgspec.json.encode(tool.input_schema).decode()}"


def _block(block: Block) -> float:
    match block:
        case Image():
            return _AN_IMAGE
        case Document():
            per_token = _BYTES_A_TOKEN if block.media_type.startswith("text/") else _A_DOCUMENT_S_BYTES_A_TOKEN
            return len(block.data) * 3 / 4 / per_token  # of base64
        case ToolResult():
            return sum(map(_block, block.content))
        case ToolUse():
            return len(msgspec.json.encode([block.name, block.input])) / _BYTES_A_TOKEN
        case Text(text=text) | ReasoningBlock(text=str(text)):
            return len(text.encode()) / _BYTES_A_TOKEN
    return 0.0
