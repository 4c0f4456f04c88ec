"""The service with one more task in its lifespan, which fails on request; started by `test_lifespan.py`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from service.app import create_app
from service.server import bind, configuration, serve
from service.settings import read_settings

settings = read_settings()
app = create_app(settings)
failing = asyncio.Event()
_lifespan = app.router.lifespan_context


async def _fail() -> None:
    await failing.wait()
    raise RuntimeError("a task of the lifespan fails")


@asynccontextmanager
async def _with_failing_task(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(_fail())
        async with _lifespan(app) as state:
            assert state is not None
            yield state
        task.cancel()


async def fail() -> int:
    """Let the task fail; the answer is the process's number."""
    failing.set()
    return os.getpid()


async def pid() -> int:
    """Answer with the process's number."""
    return os.getpid()


app.router.lifespan_context = _with_failing_task
app.add_api_route("/_fail", fail)
app.add_api_route("/_pid", pid)

if __name__ == "__main__":
    if settings.workers == 1:
        serve(settings, app)
    else:
        listening = bind(settings)
        sys.stdout.write(f"Chat page http://127.0.0.1:{listening.getsockname()[1]} Ctrl-C\n")
        sys.stdout.flush()
        Multiprocess(configuration(settings, "tests.failing.failing_app:app"), sockets=[listening]).run()
