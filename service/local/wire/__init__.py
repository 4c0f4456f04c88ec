"""The local Bedrock's transport: HTTP exchanges, frames, the rate of the answer, and faults."""
