"""Artesian: the streaming front door to Amazon Bedrock."""

__version__ = "0.1.0"
