"""No client writes the log full."""

import logging
import socket
import time

import httpx

from serkit.server.service_log import RepeatFilter
from support.serving import Running


def record(message: str, *arguments: object, level: int = logging.WARNING, error: Exception | None = None):
    kind = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("asyncio", level, __file__, 1, message, arguments, kind)


def test_a_warning_is_written_once_a_minute_with_the_number_in_between() -> None:
    now = 0.0
    repeats = RepeatFilter(clock=lambda: now)
    accept = "socket.accept() out of system resource\nsocket: <TransportSocket fd=6>"
    assert repeats.filter(record(accept))
    assert not any(repeats.filter(record(accept)) for _ in range(1234))
    assert repeats.filter(record("another %s", 1))
    now = 61.0
    late = record(accept)
    assert repeats.filter(late)
    assert late.getMessage().endswith("<TransportSocket fd=6> (1,234 more since this was last written)")
    assert not repeats.filter(record(accept))


def test_the_arguments_of_a_message_make_no_other_kind_and_are_written() -> None:
    now = 0.0
    repeats = RepeatFilter(clock=lambda: now)
    assert [repeats.filter(record("client %d is wrong", number)) for number in range(3)] == [True, False, False]
    now = 61.0
    late = record("client %d is wrong", 7)
    assert repeats.filter(late)
    assert late.getMessage() == "client 7 is wrong (2 more since this was last written)"


def fault(kind: type[Exception]) -> Exception:
    try:
        raise kind("why")
    except kind as error:
        return error


def test_another_exception_is_another_kind() -> None:
    repeats = RepeatFilter()
    assert repeats.filter(record("a request failed", error=fault(ValueError)))
    assert repeats.filter(record("a request failed", error=fault(KeyError)))
    assert not repeats.filter(record("a request failed", error=fault(KeyError)))


def test_information_is_always_written_and_kinds_are_not_gathered() -> None:
    repeats = RepeatFilter()
    assert all(repeats.filter(record("started", level=logging.INFO)) for _ in range(3))
    for number in range(3000):
        repeats.filter(record(f"kind {number}"))
    assert len(repeats._seen) == 1000


def test_what_is_not_http_is_logged_once(service: Running) -> None:
    host, port = service.address.removeprefix("http://").split(":")
    for _ in range(50):
        with socket.create_connection((host, int(port))) as sender:
            sender.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            assert b"400" in sender.recv(100)
    assert httpx.get(f"{service.address}/healthz").status_code == 200
    time.sleep(0.2)
    assert sum("Invalid HTTP request" in line for line in service.log) == 1
