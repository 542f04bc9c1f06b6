"""Schemas and descriptions for the OpenAPI document: request bodies, responses and problems."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serkit.server import openapi_examples
from serkit.server.problems import MEDIA_TYPE, Problem
from serkit.server.uploads import FIELD


class ProblemDetails(BaseModel):
    """An error, as a problem document (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="URN that ends in the code.")
    title: str
    status: int
    detail: str = Field(description="One sentence for people.")
    code: str = Field(description="Name of the problem, for programs.")


class AudioGap(BaseModel):
    """A stretch without audio: the recorder paused, or the file is damaged."""

    start: float
    end: float | None = Field(description="Null where nobody knows how much is missing.")


class PredictionAnswer(BaseModel):
    """The prediction for one clip."""

    file: str
    model: str
    emotion: str = Field(description="The most probable class, or 'uncertain', or 'no speech'.")
    probabilities: dict[str, float] = Field(description="Probability of each class, most probable first.")
    duration: float = Field(description="Duration of the clip in seconds.")
    remarks: list[str] = Field(description="Names of remarks on the audio: narrowband, cancelled; see docs/AUDIO.md.")
    gaps: list[AudioGap] = Field(description="Stretches without audio, in seconds.")


class Models(BaseModel):
    """The model, the accepted audio formats and the limits of the service."""

    models: list[dict[str, Any]] = Field(description="Model cards; the first is the model that answers.")
    accepts: list[str] = Field(description="Audio formats that the service can decode.")
    limits: dict[str, float]
    colors: dict[str, str] = Field(description="Color of each class in timeline plots.")


class State(BaseModel):
    """The state of the service."""

    status: Literal["ok", "ready"]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of problems with these HTTP statuses."""
    return {
        status: {
            "description": openapi_examples.PROBLEMS[status]["detail"],
            "content": {
                MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema(), "example": _problem_example(status)}
            },
        }
        for status in statuses
    }


def _problem_example(status: int) -> dict[str, Any]:
    content = dict(openapi_examples.PROBLEMS[status])
    return Problem(status, content.pop("code"), content.pop("detail"), more=content).content()


GATE_PROBLEMS = (401, 403, 421, 429)
UPLOAD_PROBLEMS = (400, *GATE_PROBLEMS, 406, 408, 413, 415, 422, 503)
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An audio file: the field `file` of a form, or the body itself with any content type.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
            **{
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "application/octet-stream")
            },
        },
    }
}


def contents(example: dict[str, Any], others: dict[str, str]) -> dict[str, Any]:
    """Return the OpenAPI content of a response: a JSON example, and text examples by media type."""
    found: dict[str, Any] = {"application/json": {"example": example}}
    return found | {kind: {"schema": {"type": "string"}, "example": text} for kind, text in others.items()}
