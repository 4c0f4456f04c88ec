"""The Prometheus that tests run: no Python package brings one, so it is looked for."""

import shutil

import pytest


def found(command: str) -> str:
    """The path of `prometheus` or of its `promtool`, or a skip."""
    if not (path := shutil.which(command)):
        pytest.skip(f"no {command} is here: Debian's package `prometheus` brings it")
    return path
