"""What Bedrock requires of a request: turns our request into one that the model accepts. Pure."""
