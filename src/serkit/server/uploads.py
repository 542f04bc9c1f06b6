"""A request's body in memory, raw or from a form; it is never on disk, and gone after the answer."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from serkit.annotations.wording import one_line, storable
from serkit.server.limits import Slots
from serkit.server.problems import Problem, accepted_formats
from serkit.server.service_settings import Limits

FIELD = "file"
_LONGEST_NAME = 120  # characters, of what is repeated in messages
_FORM_OVERHEAD = 65_536  # bytes that a form may have around its file
_DISCARD_SECONDS = 3.0


class Sent(NamedTuple):
    """What a client sent.

    Attributes:
        name: Of the file, as far as it may be repeated; nothing is opened by it.
        content: Of the file.
    """

    name: str
    content: bytes


@asynccontextmanager
async def uploaded(request: Request, limits: Limits, room: Slots) -> AsyncIterator[Sent]:
    """Read a body.

    Args:
        request: With a form that has a field ``file``, or with the file itself as its body.
        limits: Of its size and pace.
        room: Bytes that may be in memory; they are taken as they come, and given back at the end.

    Raises:
        Problem: 400, 408, 413, 422 or 503.
    """
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    most = limits.body_bytes + (_FORM_OVERHEAD if is_form else 0)
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() else 0
    if length > most:
        await _discard(request, most)
        raise _too_large(limits)
    room.check(length)
    with room.take_more() as take:
        pieces = _pieces(request, most, limits, take)
        sent = await (_form(request, pieces, limits) if is_form else _raw(pieces))
        if len(sent.content) > limits.body_bytes:
            raise _too_large(limits)
        if not sent.content:
            raise Problem(
                422, "invalid-audio", "the request holds no sound: its body is empty.", accepted=accepted_formats()
            )
        yield sent


async def _pieces(
    request: Request, most: int, limits: Limits, take: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    count, stream, start = 0, aiter(request.stream()), time.monotonic()
    while True:
        left = start + limits.stall_seconds + count / limits.slowest_rate - time.monotonic()
        try:
            async with asyncio.timeout(min(left, limits.stall_seconds)):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(
                408, "upload-stalled",
                f"nothing came for {limits.stall_seconds:g} s, or less than {limits.slowest_rate / 1e3:g} kB a second.",
                headers={"Connection": "close"},
            ) from None  # fmt: skip
        count += len(piece)
        if count > most:
            raise _too_large(limits)
        take(len(piece))
        yield piece


async def _raw(pieces: AsyncGenerator[bytes, None]) -> Sent:
    return Sent("upload", b"".join([piece async for piece in pieces]))


async def _form(request: Request, pieces: AsyncGenerator[bytes, None], limits: Limits) -> Sent:
    parser = _Parser(request.headers, pieces, max_files=1, max_fields=8)
    parser.spool_max_size = limits.body_bytes + _FORM_OVERHEAD  # so that nothing goes to disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, "bad-form", f"the form cannot be read: {error.message.rstrip('.')}.") from error
    async with form_closed(form.get(FIELD)) as file:
        if file is None:
            raise Problem(422, "missing-file", f"the form has no file in a field {FIELD!r}.", accepted={"field": FIELD})
        return Sent(_safe(file.filename or ""), await file.read())


class _Parser(MultiPartParser):
    """Starlette's, with a size of its own from which a file would go to disk."""


@asynccontextmanager
async def form_closed(value: object) -> AsyncIterator[UploadFile | None]:
    """Yield a form's value if it is a file, and close it."""
    if not isinstance(value, UploadFile):
        yield None
        return
    try:
        yield value
    finally:
        await value.close()


async def _discard(request: Request, most: int) -> None:
    """Read on for a while, since a client that still sends may never see an answer."""
    count = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_DISCARD_SECONDS):
            async for piece in request.stream():
                count += len(piece)
                if count > 4 * most:
                    return


def _safe(name: str) -> str:
    """Return the last part of a name, without what could confuse a reader of messages and tables."""
    last = one_line(storable(name.replace("\\", "/").rpartition("/")[2]))
    return last[:_LONGEST_NAME] or "upload"


def _too_large(limits: Limits) -> Problem:
    return Problem(
        413, "body-too-large", f"the upload is larger than {limits.body_bytes / 1e6:g} MB.",
        accepted={"most_bytes": limits.body_bytes}, headers={"Connection": "close"},
    )  # fmt: skip
