"""The engine: generations from queued to their end."""
