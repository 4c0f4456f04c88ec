"""The Artesian service: a streaming gateway for Amazon Bedrock."""

__version__ = "0.2.0"
