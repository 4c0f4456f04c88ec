"""Streams: a generation's numbered log of events, its readers, and the journals that keep it."""
