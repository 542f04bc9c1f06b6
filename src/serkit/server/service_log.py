"""The service's log on stderr: no addresses of clients unless asked for, and no line that a client can repeat."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

_CLIENT_ERRORS = ("without completing handshake", "Invalid UTF-8")  # uvicorn logs the first for each refused stream
_REPEAT_SECONDS = 60.0
_MAX_KINDS = 1000  # kinds of records that are remembered; the oldest is forgotten first


class StreamLogFilter(logging.Filter):
    """Drops uvicorn's log records about streams that hold clients' addresses or describe clients' errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record."""
        if "websockets" not in record.pathname:
            return True
        return record.levelno > logging.INFO and not any(words in record.msg for words in _CLIENT_ERRORS)


class RepeatFilter(logging.Filter):
    """Writes each kind of warning and error once a minute, with the number of those in between.

    Without it, a client fills a disk: uvicorn logs each request that is not HTTP, and asyncio each connection that it
    cannot accept for want of open files, thousands of times a second. Records are of one kind if their message begins
    with the same line, before arguments are filled in, and their exceptions come from the same place.

    Args:
        clock: Function that returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()  # kind to (written, dropped)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record."""
        if record.levelno < logging.WARNING:
            return True
        kind, now = _kind(record), self._clock()
        written, dropped = self._seen.get(kind, (-_REPEAT_SECONDS, 0))
        if now - written < _REPEAT_SECONDS:
            self._seen[kind] = (written, dropped + 1)
            return False
        self._seen[kind] = (now, 0)
        self._seen.move_to_end(kind)
        while len(self._seen) > _MAX_KINDS:
            self._seen.popitem(last=False)
        if dropped:
            text = record.getMessage()
            record.msg = f"{text.rstrip()} ({dropped:,} more since this was last written)"
            record.args = None
        return True


def _kind(record: logging.LogRecord) -> tuple[object, ...]:
    first_line = str(record.msg).partition("\n")[0]
    if not record.exc_info:
        return (record.name, first_line)
    kind, _, trace = record.exc_info
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else None
    return (record.name, first_line, kind, place)


LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(process)d %(message)s"}},
    "filters": {
        "streams": {"()": "serkit.server.service_log.StreamLogFilter"},
        "repeats": {"()": "serkit.server.service_log.RepeatFilter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": "ext://sys.stderr",
            "filters": ["streams", "repeats"],
        }
    },
    "loggers": {
        "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn.access": {"level": "INFO"},
        "asyncio": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "python_multipart": {
            "level": "CRITICAL"
        },  # it warns about each malformed form, which the response reports anyway
    },
}
