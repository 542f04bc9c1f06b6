"""Errors as clients receive them: problem details with the cause and what is accepted, never a traceback.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any

from starlette.responses import Response

from serkit.errors import MissingExtraError, ModelFileError, SerkitError, UnknownAudioFormatError
from serkit.server.decoder_messages import TOO_LONG, TOO_MANY_WINDOWS

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2  # Retry-After of a busy service
_FORMATS = ("WAV", "FLAC", "OGG", "Opus", "MP3")
_MEDIA_FORMATS = ("M4A", "AAC", "WebM", "MP4", "Matroska")

_CODES: Mapping[str, tuple[int, str]] = {  # exception class to HTTP status and problem code
    "UnknownAudioFormatError": (415, "unsupported-format"),
    "MissingExtraError": (415, "unsupported-format"),
    "EmptyAudioFileError": (422, "invalid-audio"),
    "TruncatedAudioError": (422, "invalid-audio"),
    "NoSamplesError": (422, "invalid-audio"),
    "NonFiniteAudioError": (422, "invalid-audio"),
    "AudioShapeError": (422, "invalid-audio"),
    "SamplingRateError": (422, "invalid-audio"),
    "AudioTooShortError": (422, "invalid-audio"),
    "AudioTooLongError": (422, "audio-too-long"),
    "AudioUnreadableError": (422, "invalid-audio"),
    "UnknownNameError": (422, "invalid-parameter"),
    "RecipeError": (422, "invalid-parameter"),
    "SettingsError": (422, "invalid-parameter"),
    "MemoryError": (422, "decoding-failed"),
    "InferenceError": (503, "overloaded"),
    "ModelFileError": (503, "model-unusable"),
}


class Problem(Exception):  # noqa: N818 (RFC 9457's word)
    """An error response.

    Args:
        status: HTTP status.
        code: Name of the problem for programs, such as ``body-too-large``.
        detail: One sentence for people.
        accepted: Values that the service accepts instead.
        headers: Headers of the response.
        more: Additional members of the problem document.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        accepted: Any = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})
        self._more = {**({} if accepted is None else {"accepted": accepted}), **(more or {})}

    def content(self) -> dict[str, Any]:
        """Return the members of the problem document."""
        return {
            "type": f"urn:serkit:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self._more,
        }

    def response(self) -> Response:
        """Return the HTTP response."""
        body = json.dumps(self.content(), ensure_ascii=True).encode()
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def accepted_formats() -> list[str]:
    """Return the audio formats that this installation can decode."""
    return [*_FORMATS, *(_MEDIA_FORMATS if find_spec("av") else ())]


def busy(detail: str, code: str = "overloaded") -> Problem:
    """Return a 503 problem with a Retry-After header."""
    return Problem(503, code, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def too_many_at_once(most: int, what: str) -> Problem:
    """Return the 429 problem of a client that has too much work at once, with a Retry-After header.

    Args:
        most: Maximum for one client.
        what: Name of the work, in the plural.
    """
    return Problem(
        429, "too-many-at-once", f"one client may have {most:,} {what} at once; wait until some have ended.",
        accepted={"at_once": most}, headers={"Retry-After": str(RETRY_SECONDS)},
    )  # fmt: skip


def decoder_problem(kind: str, message: str, *, name: str, most: float) -> Problem:
    """Return the problem that a decoder process's error becomes.

    Args:
        kind: Name of the exception class.
        message: Message of the exception.
        name: Name of the uploaded file.
        most: Maximum duration of the sound, in seconds.
    """
    if kind == TOO_LONG:
        return Problem(
            422, "audio-too-long", f"{name!r} lasts longer than {most:g} s{message}.", accepted={"most_seconds": most}
        )
    if kind == TOO_MANY_WINDOWS:
        return Problem(422, "too-many-windows", message)
    status, code = _CODES.get(kind, (422, "decoding-failed"))
    if kind == "MemoryError":
        message = f"{name!r} needs more memory than one file may use."
    if kind == UnknownAudioFormatError.__name__:  # its own ending tells how to install more formats
        reason = message.rpartition("; expected WAV, ")[0] or message.rstrip(".")
        message = f"{reason}; this service reads {', '.join(accepted_formats())}."
    if kind == MissingExtraError.__name__:
        message = f"{message}, where the service runs."
    if kind == ModelFileError.__name__:
        return Problem(status, code, "the model of this service gives wrong answers; tell who runs the service.")
    if status == 503:
        return busy("the model failed, most likely for lack of memory; try again.", code)
    return Problem(status, code, message, accepted=accepted_formats() if code != "invalid-parameter" else None)


def problem_of(error: SerkitError, *, name: str = "", most: float = 0.0) -> Problem:
    """Return the problem that a serkit error becomes."""
    return decoder_problem(type(error).__name__, str(error), name=name, most=most)
