"""Whether the process can still serve, and its exit where it cannot."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_LAST_ANSWERS_S = 0.5
_CLOSING_S = 15.0  # what closes has deadlines of its own


class Vitals:
    """Whether a process can still serve: its lifespan and every task group in it run."""

    alive = True


@contextmanager
def exit_when_it_fails(vitals: Vitals) -> Iterator[None]:
    """End the process with status 1 if the block fails, a moment later: the last answers are still sent.

    uvicorn goes on serving without its lifespan, and would exit with 0 in the end. A worker is replaced by its
    supervisor, at once only if it ends at once.
    """
    try:
        yield
    except BaseException:
        if not vitals.alive:
            asyncio.get_running_loop().call_later(_LAST_ANSWERS_S, _exit)
        raise


def _exit() -> None:
    logging.shutdown()
    os._exit(1)


@contextmanager
def noticed_when_it_fails(vitals: Vitals) -> Iterator[None]:
    """Note at once that the block fails while the service runs, before what is around it is closed."""
    try:
        yield
    except BaseException:
        vitals.alive = False
        logger.critical("A task of the service ended unexpectedly; the process exits with status 1")
        asyncio.get_running_loop().call_later(_CLOSING_S, _exit)  # whatever the closing waits for
        raise
