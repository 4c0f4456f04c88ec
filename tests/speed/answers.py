"""Frames of an answer, as Bedrock writes them for Claude on its two APIs."""

import base64
import json

from service.bedrock.eventstream import encode_event


def converse_frame(n: int) -> bytes:
    """One text delta on ConverseStream."""
    said = {"contentBlockIndex": 0, "delta": {"text": f"word{n} "}, "p": "abcdefghij"}
    return encode_event("contentBlockDelta", json.dumps(said).encode())


def claude_frame(n: int) -> bytes:
    """One text delta on InvokeModelWithResponseStream."""
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"word{n} "}}
    chunk = {"bytes": base64.b64encode(json.dumps(said).encode()).decode(), "p": "abcdefghij"}
    return encode_event("chunk", json.dumps(chunk).encode())
