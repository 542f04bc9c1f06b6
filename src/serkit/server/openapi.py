"""How OpenAPI describes what goes in and what comes out."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serkit.server import examples
from serkit.server.problems import MEDIA_TYPE, Problem
from serkit.server.uploads import FIELD


class ProblemDetails(BaseModel):
    """What went wrong: RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URN that ends in the code.")
    title: str
    status: int
    detail: str = Field(description="One sentence for people.")
    code: str = Field(description="What programs tell problems by.")


class PredictionAnswer(BaseModel):
    """What the model says of one clip."""

    file: str
    model: str
    emotion: str = Field(description="The most probable class, or 'uncertain', or 'no speech'.")
    probabilities: dict[str, float] = Field(description="Class to probability, most probable first.")
    duration: float = Field(description="Seconds that were heard.")


class Models(BaseModel):
    """What is served, and how much of it."""

    models: list[dict[str, Any]] = Field(description="The cards of the models; the one that answers is the first.")
    accepts: list[str] = Field(description="Formats of sound.")
    limits: dict[str, float]
    colors: dict[str, str] = Field(description="Of each class, as in pictures of timelines.")


class State(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes some problems."""
    return {
        status: {
            "description": examples.PROBLEMS[status]["detail"],
            "content": {
                MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema(), "example": _problem_example(status)}
            },
        }
        for status in statuses
    }


def _problem_example(status: int) -> dict[str, Any]:
    content = dict(examples.PROBLEMS[status])
    return Problem(status, content.pop("code"), content.pop("detail"), more=content).content()


GATE = (401, 403, 421, 429)
SOUND = (400, *GATE, 406, 408, 413, 415, 422, 503)
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A sound file: as the field `file` of a form, or as the body itself, of any content type.",
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


def contents(shown: dict[str, Any], others: dict[str, str]) -> dict[str, Any]:
    """Return the content of an answer in several media types."""
    found: dict[str, Any] = {"application/json": {"example": shown}}
    return found | {kind: {"schema": {"type": "string"}, "example": text} for kind, text in others.items()}
