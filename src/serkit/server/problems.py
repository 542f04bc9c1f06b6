"""Errors as clients get them: problem details, with what was wrong and what is accepted, and no traceback.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any

from starlette.responses import Response

from serkit.errors import MissingExtraError, SerkitError, UnknownAudioFormatError
from serkit.server.decoder_process import TOO_LONG

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2  # what is told to whom a busy service sends away
_FORMATS = ("WAV", "FLAC", "OGG", "Opus", "MP3")
_MEDIA_FORMATS = ("M4A", "AAC", "WebM", "MP4", "Matroska")

_CODES: Mapping[str, tuple[int, str]] = {  # of the error classes that a sound process names
    "UnknownAudioFormatError": (415, "unsupported-format"),
    "MissingExtraError": (415, "unsupported-format"),
    "EmptyAudioFileError": (422, "invalid-audio"),
    "TruncatedAudioError": (422, "invalid-audio"),
    "NoSamplesError": (422, "invalid-audio"),
    "NonFiniteAudioError": (422, "invalid-audio"),
    "AudioShapeError": (422, "invalid-audio"),
    "SamplingRateError": (422, "invalid-audio"),
    "AudioTooShortError": (422, "invalid-audio"),
    "UnknownNameError": (422, "invalid-parameter"),
    "RecipeError": (422, "invalid-parameter"),
    "SettingsError": (422, "invalid-parameter"),
    "MemoryError": (422, "decoding-failed"),
    "InferenceError": (503, "overloaded"),
}


class Problem(Exception):  # noqa: N818 (RFC 9457's word)
    """Something that a client is told instead of an answer.

    Args:
        status: Of HTTP.
        code: What programs tell problems by, such as ``body-too-large``.
        detail: One sentence for people.
        accepted: What would have been right.
        headers: Of the response.
        more: Further members.
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
        """Return the members of the problem."""
        return {
            "type": f"urn:serkit:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self._more,
        }

    def response(self) -> Response:
        """Return what is sent."""
        body = json.dumps(self.content(), ensure_ascii=True).encode()
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def accepted_formats() -> list[str]:
    """Return the formats of sound that this installation reads."""
    return [*_FORMATS, *(_MEDIA_FORMATS if find_spec("av") else ())]


def busy(detail: str, code: str = "overloaded") -> Problem:
    """Return the problem of a service that has too much to do."""
    return Problem(503, code, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def sound_problem(kind: str, message: str, *, name: str, most: float) -> Problem:
    """Return what a sound process's error means to a client.

    Args:
        kind: Name of the error's class.
        message: Its own words.
        name: Of the upload.
        most: Seconds that it may last.
    """
    if kind == TOO_LONG:
        return Problem(
            422, "audio-too-long", f"{name!r} lasts longer than {most:g} s.", accepted={"most_seconds": most}
        )
    status, code = _CODES.get(kind, (422, "decoding-failed"))
    if kind == "MemoryError":
        message = f"{name!r} takes more memory than a file may."
    if kind == UnknownAudioFormatError.__name__:  # whose own end is for who may install something
        reason = message.rpartition("; WAV, ")[0] or message.rstrip(".")
        message = f"{reason}; this service reads {', '.join(accepted_formats())}."
    if kind == MissingExtraError.__name__:
        message = f"{message}, where the service runs."
    if status == 503:
        return busy("the model failed for want of resources; try again.", code)
    return Problem(status, code, message, accepted=accepted_formats() if code != "invalid-parameter" else None)


def of_error(error: SerkitError, *, name: str = "", most: float = 0.0) -> Problem:
    """Return what one of our own errors means to a client."""
    return sound_problem(type(error).__name__, str(error), name=name, most=most)
