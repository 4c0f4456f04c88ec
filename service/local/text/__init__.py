"""The content of answers: generated text, tool calls, reasoning and citations."""
