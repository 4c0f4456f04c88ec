"""The operations of the local Bedrock."""
