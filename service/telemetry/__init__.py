"""Logs, metrics and traces: listeners that the engine tells, never in its way."""
