"""Handlers of a few lines, and what they share: who asks, how a stream becomes a response, how an error is told."""
