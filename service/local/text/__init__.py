"""What the local Bedrock answers: placeholder text, tool calls, reasoning and citations."""
