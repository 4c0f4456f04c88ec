"""How the local Bedrock sends an answer: frames, pace and faults."""
