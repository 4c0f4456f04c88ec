"""Logs: JSON for machines, or lines for people at a terminal. They contain no prompt, answer or query string."""

import logging
import sys
from typing import Literal

import structlog

from service.telemetry import tracebacks

_OURS = "service"
"""The loggers that `LOG_LEVEL` applies to. Libraries log from `warning` on, whatever it is: below that they log
addresses, headers, bodies and the parameters of SQL."""

_OWN_LEVELS = ("botocore", "aiobotocore", "aioboto3", "boto3", "urllib3")
"""Libraries that set a level themselves, or whose level may have been set elsewhere."""


def configure_logs(log_format: Literal["console", "json"] | None, level: str) -> None:
    """Send every log line through structlog to standard error."""
    renderer: structlog.typing.Processor
    if (log_format or ("console" if sys.stderr.isatty() else "json")) == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=tracebacks.write,  # rich's shows the values of variables
        )
        finish: list[structlog.typing.Processor] = [renderer]
    else:
        renderer = structlog.processors.JSONRenderer()
        finish = [structlog.processors.ExceptionRenderer(tracebacks.render), renderer]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # the request's id
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
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    logging.getLogger(_OURS).setLevel(level.upper())
    logging.getLogger("asyncio").addFilter(_first_line)
    for name in _OWN_LEVELS:
        logging.getLogger(name).setLevel(logging.WARNING)


def _first_line(record: logging.LogRecord) -> bool:
    """Reduce asyncio's messages to their first line: the others show the task and its exception, with any content."""
    record.msg, record.args = record.getMessage().partition("\n")[0], None
    return True
