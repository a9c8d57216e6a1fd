"""Structured logs: one JSON object a line on standard error, and never an address in it.

Values that look like a mail address are replaced before a line is written. That is the last net, not the plan: no
caller passes one.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, cast

import orjson
import structlog

_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")


def configure(process: str, level: str = "info") -> None:
    """Set up logging for this process; `process` is in every line. Standard-library loggers join at WARNING."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_addresses,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


def get() -> structlog.typing.FilteringBoundLogger:
    """Return the logger; events are snake_case names, facts are keyword arguments."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


class _Bridge(logging.Handler):
    """Carries standard-library records (uvicorn, asyncio, aiosmtpd) into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        get().log(record.levelno, "library", **facts)


def _without_addresses(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and "@" in value:
            event[key] = _ADDRESS.sub("<address>", value)
        elif not isinstance(value, str | int | float | bool | None):
            event[key] = _ADDRESS.sub("<address>", str(value))
    return event


def _dumps(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str).decode()
