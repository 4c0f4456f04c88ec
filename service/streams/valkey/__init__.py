"""Streams in Valkey or Redis, for any number of replicas."""

from service.streams.valkey.store import ValkeyStore

__all__ = ["ValkeyStore"]
