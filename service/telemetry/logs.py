"""Logs: JSON for machines, or lines for people at a terminal. No prompt, answer or query string stands in them."""

import logging
import sys
from typing import Literal

import structlog

_QUIET = ("botocore", "aiobotocore", "aioboto3", "boto3", "urllib3", "httpx", "httpcore", "sse_starlette", "asyncio")
"""Libraries whose debug and info lines hold addresses, headers or bodies."""

_BRIEF = ("uvicorn", "uvicorn.error")
"""Whose greetings we say ourselves."""


def configure_logs(log_format: Literal["console", "json"] | None, level: str) -> None:
    """Send every log line through structlog to standard error."""
    renderer: structlog.typing.Processor
    if (log_format or ("console" if sys.stderr.isatty() else "json")) == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        finish: list[structlog.typing.Processor] = [renderer]
    else:
        renderer = structlog.processors.JSONRenderer()
        finish = [structlog.processors.format_exc_info, renderer]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in (*_QUIET, *_BRIEF):
        logging.getLogger(name).setLevel(logging.WARNING)
