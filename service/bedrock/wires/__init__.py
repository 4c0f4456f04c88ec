"""The wire formats of Bedrock: request bodies and answer decoders, pure."""
