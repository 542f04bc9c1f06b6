"""Uploads: a request's body, raw or from a form, held in memory until the response and never written to disk."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from serkit.annotations.wording import one_line, storable
from serkit.server.admission import Slots
from serkit.server.problems import Problem, accepted_formats
from serkit.server.service_settings import FORM_OVERHEAD, Limits

FIELD = "file"
_MAX_NAME = 120  # characters of a file name that messages repeat
_DISCARD_SECONDS = 3.0
_MOSTLY = 0.9  # an upload that paused for this share of the limit stalled; otherwise it was too slow on average


class UploadedFile(NamedTuple):
    """A file that a client uploaded.

    Attributes:
        name: File name, cleaned for messages; no file is ever opened by this name.
        content: Content of the file.
    """

    name: str
    content: bytes


@asynccontextmanager
async def read_upload(request: Request, client: str, limits: Limits, memory: Slots) -> AsyncIterator[UploadedFile]:
    """Read the uploaded file from a request's body.

    Args:
        request: Request whose body is the file, or a form with the file in the field ``file``.
        client: Client that sends it.
        limits: Limits of the upload's size and speed.
        memory: Bytes that all uploads together may hold; taken as they arrive, freed at the end.

    Raises:
        Problem: 400, 408, 413, 422, 429 or 503.
    """
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    most = limits.body_bytes + (FORM_OVERHEAD if is_form else 0)
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() else 0
    if length > most:
        await _discard(request, most)
        raise _too_large(limits)
    memory.check(client, length)
    with memory.take_more(client) as take:
        pieces = _pieces(request, most, limits, take)
        upload = await (_read_form(request, pieces, limits) if is_form else _read_raw(pieces))
        if len(upload.content) > limits.body_bytes:
            raise _too_large(limits)
        if not upload.content:
            raise Problem(
                422, "invalid-audio", "the upload is empty; expected an audio file.", accepted=accepted_formats()
            )
        yield upload


async def _pieces(
    request: Request, most: int, limits: Limits, take: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    count, stream, start = 0, aiter(request.stream()), time.monotonic()
    while True:
        began = time.monotonic()
        left = start + limits.stall_seconds + count / limits.slowest_rate - began
        try:
            async with asyncio.timeout(min(left, limits.stall_seconds)):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            now = time.monotonic()
            if now - began < _MOSTLY * limits.stall_seconds:
                raise _too_slow(count, now - start, limits) from None
            raise _stalled(count, now - began, limits) from None
        count += len(piece)
        if count > most:
            raise _too_large(limits)
        take(len(piece))
        yield piece


def _stalled(count: int, seconds: float, limits: Limits) -> Problem:
    return Problem(
        408, "upload-stalled",
        f"the upload stalled: nothing arrived for {seconds:.0f} s, after {count / 1e3:,.1f} kB.",
        accepted={"most_seconds_of_pause": limits.stall_seconds}, headers={"Connection": "close"},
    )  # fmt: skip


def _too_slow(count: int, seconds: float, limits: Limits) -> Problem:
    return Problem(
        408, "upload-too-slow",
        f"the upload is too slow: {count / 1e3:,.1f} kB arrived in {seconds:.0f} s, an average of "
        f"{count / max(seconds, 1e-3) / 1e3:,.1f} kB/s; the service accepts no less than "
        f"{limits.slowest_rate / 1e3:g} kB/s after the first {limits.stall_seconds:g} s.",
        accepted={"least_bytes_per_second": limits.slowest_rate}, headers={"Connection": "close"},
    )  # fmt: skip


async def _read_raw(pieces: AsyncGenerator[bytes, None]) -> UploadedFile:
    return UploadedFile("upload", b"".join([piece async for piece in pieces]))


async def _read_form(request: Request, pieces: AsyncGenerator[bytes, None], limits: Limits) -> UploadedFile:
    parser = MultiPartParser(request.headers, pieces, max_files=1, max_fields=8)
    parser.spool_max_size = limits.body_bytes + FORM_OVERHEAD  # keeps the file in memory
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, "bad-form", f"the form cannot be read: {error.message.rstrip('.')}.") from error
    async with _open_file(form.get(FIELD)) as file:
        if file is None:
            raise Problem(
                422, "missing-file", f"the form has no file in its field {FIELD!r}.", accepted={"field": FIELD}
            )
        return UploadedFile(_clean_name(file.filename or ""), await file.read())


@asynccontextmanager
async def _open_file(value: object) -> AsyncIterator[UploadFile | None]:
    """Yield a form's value if it is a file, else None; close the file at the end."""
    if not isinstance(value, UploadFile):
        yield None
        return
    try:
        yield value
    finally:
        await value.close()


async def _discard(request: Request, most: int) -> None:
    """Read and drop the rest of a body for a while: many clients read the response only after they sent everything."""
    count = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_DISCARD_SECONDS):
            async for piece in request.stream():
                count += len(piece)
                if count > 4 * most:
                    return


def _clean_name(name: str) -> str:
    """Return the last part of a path, without control characters and line breaks."""
    last = one_line(storable(name.replace("\\", "/").rpartition("/")[2]))
    return last[:_MAX_NAME] or "upload"


def _too_large(limits: Limits) -> Problem:
    return Problem(
        413, "body-too-large", f"the upload is larger than {limits.body_bytes / 1e6:g} MB.",
        accepted={"most_bytes": limits.body_bytes}, headers={"Connection": "close"},
    )  # fmt: skip
