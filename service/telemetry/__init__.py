"""Logs, metrics and traces, written by listeners that never delay the engine."""
