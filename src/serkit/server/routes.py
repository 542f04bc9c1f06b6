"""The HTTP and WebSocket endpoints."""

import json
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response, WebSocket

from serkit.annotations.predictions import answer_as_row, answers_as_csv
from serkit.annotations.timeline_layout import colors_of
from serkit.errors import SerkitError
from serkit.runtime.decision import check_coverage
from serkit.runtime.stream import LONGEST_WINDOW, SHORTEST_HOP, SHORTEST_WINDOW
from serkit.server import openapi_examples
from serkit.server.clients import client_of
from serkit.server.decoder_messages import DRAWING
from serkit.server.negotiation import MEDIA_TYPES, PREDICTION_FORMATS, TIMELINE_FORMATS, bare_type, choose
from serkit.server.openapi import (
    BODY,
    GATE_PROBLEMS,
    UPLOAD_PROBLEMS,
    Models,
    PredictionAnswer,
    State,
    contents,
    problems,
)
from serkit.server.problems import Problem, accepted_formats, problem_of
from serkit.server.prometheus import CONTENT_TYPE
from serkit.server.security import SUBPROTOCOL, refuse
from serkit.server.service import Service, unless_disconnected
from serkit.server.streaming import serve_stream
from serkit.server.uploads import read_upload

PredictionFormat = StrEnum("PredictionFormat", {name: name for name in PREDICTION_FORMATS})  # type: ignore[misc]
TimelineFormat = StrEnum("TimelineFormat", {name: name for name in TIMELINE_FORMATS})  # type: ignore[misc]
Threshold = Annotated[
    float | None,
    Query(
        ge=0,
        le=1,
        description="Probability below which the emotion is 'uncertain'. Default: the model card's threshold.",
    ),
]
Damaged = Annotated[
    Literal["refuse", "skip"],
    Query(
        description="Refuse a file of which more than 0.1 s is missing, or skip what is missing and list it in `gaps`."
    ),
]
router = APIRouter()


def service_of(request: Request | WebSocket) -> Service:
    """Return the service of a request's application."""
    service: Service = request.app.state.service
    return service


@router.post(
    "/v1/predict",
    summary="Recognize the emotion of one clip",
    response_model=PredictionAnswer,
    responses={
        200: {"content": contents(openapi_examples.PREDICTION, {"text/csv": openapi_examples.PREDICTION_CSV})},
        **problems(*UPLOAD_PROBLEMS),
    },
    openapi_extra=BODY,
)
async def predict(
    request: Request,
    *,
    format: Annotated[  # noqa: A002
        PredictionFormat | None, Query(description="Output format. Default: by the Accept header.")
    ] = None,
    top: Annotated[int | None, Query(ge=1, le=1000, description="Number of most probable emotions to return.")] = None,
    threshold: Threshold = None,
    forced: Annotated[bool, Query(description="Always return a class, never 'uncertain' or 'no speech'.")] = False,
    damaged: Damaged = "refuse",
    coverage: Annotated[
        float | None, Query(description="Also return the prediction set for this coverage: 0.8, 0.9 or 0.95.")
    ] = None,
) -> Response:
    """Recognize the emotion of one clip.

    The prediction is the same as that of `serkit predict`; `emotion` may be `uncertain` or `no speech`.
    """
    service = service_of(request)
    form = format.value if format else choose(request.headers.get("accept"), PREDICTION_FORMATS)
    set_of = None
    if coverage is not None:
        set_of = partial(service.recognizer.classes_within, coverage=coverage)
        _checked(lambda: check_coverage(service.recognizer.card, coverage))
    service.check_open()
    client = client_of(request.scope)
    with service.uploads.take(client):
        async with read_upload(request, client, service.settings.limits, service.upload_memory) as upload:
            work = service.predict(upload, client, damaged=damaged, reject=not forced, threshold=threshold)
            answer = await unless_disconnected(request, work)
    card = service.recognizer.card
    if form == "csv":
        text = answers_as_csv([(upload.name, answer)], card.classes, top, set_of)
        return Response(text, media_type=MEDIA_TYPES["csv"])
    row = {"file": upload.name, "model": card.name} | answer_as_row(answer, top, set_of)
    return Response(json.dumps(row), media_type=MEDIA_TYPES["json"])


@router.post(
    "/v1/timeline",
    summary="Recognize emotions over time",
    response_model=dict[str, Any],
    responses={
        200: {
            "description": "The timeline; for several formats, a JSON object that maps format names to documents.",
            "content": contents(
                openapi_examples.TIMELINE,
                {
                    bare_type(name): openapi_examples.TIMELINE_SRT if name == "srt" else ""
                    for name in TIMELINE_FORMATS[1:]
                },
            ),
        },
        **problems(*UPLOAD_PROBLEMS),
    },
    openapi_extra=BODY,
)
async def timeline(
    request: Request,
    *,
    format: Annotated[  # noqa: A002
        list[TimelineFormat] | None,
        Query(description="Output format; repeat for several. Default: by the Accept header."),
    ] = None,
    window: Annotated[
        float, Query(ge=SHORTEST_WINDOW, le=LONGEST_WINDOW, description="Window length in seconds.")
    ] = 3.0,
    hop: Annotated[
        float, Query(ge=SHORTEST_HOP, le=LONGEST_WINDOW, description="Hop between windows in seconds.")
    ] = 1.0,
    vad: Annotated[bool, Query(description="Detect speech first; false treats all sound as speech.")] = True,
    channels: Annotated[
        Literal["mix", "separate"], Query(description="Mix the channels, or make a timeline of each.")
    ] = ("mix"),
    smooth: Annotated[
        float,
        Query(ge=0, le=LONGEST_WINDOW, description="Time constant of causal smoothing in seconds; 0 disables it."),
    ] = 0.0,
    threshold: Threshold = None,
    damaged: Damaged = "refuse",
) -> Response:
    """Recognize emotions over time: where there is speech, and the emotion of each segment.

    The timeline is the same as that of `serkit timeline`, in its formats; `drawing` is for this service's own page.
    """
    service = service_of(request)
    offered = [name for name in TIMELINE_FORMATS if name not in ("windows-csv", DRAWING)]  # these two only by ?format=
    forms = list(dict.fromkeys(one.value for one in format or ()))
    forms = forms or [choose(request.headers.get("accept"), offered)]
    settings = {
        "window": window, "hop": hop, "vad": vad, "channels": channels, "smooth": smooth, "threshold": threshold,
        "damaged": damaged,
    }  # fmt: skip
    service.check_open()
    client = client_of(request.scope)
    service.timelines.check(client)
    with service.uploads.take(client):
        async with read_upload(request, client, service.settings.limits, service.upload_memory) as upload:
            with service.timelines.take(client):  # after the upload, so that a slow sender holds no slot
                documents = await unless_disconnected(request, service.timeline(upload, client, settings, forms))
    if len(forms) == 1:
        return Response(documents[forms[0]], media_type=MEDIA_TYPES[forms[0]])
    return Response(
        json.dumps({name: document.decode() for name, document in documents.items()}), media_type=MEDIA_TYPES["json"]
    )


@router.get("/v1/models", summary="Describe the model", responses=problems(*GATE_PROBLEMS))
async def models(request: Request) -> Models:
    """Return the model card (labels, corpora, results, license, uses to avoid), audio formats and limits."""
    service = service_of(request)
    limits = service.settings.limits
    return Models(
        models=[service.recognizer.card.to_dict()],
        accepts=accepted_formats(),
        limits={
            "body_bytes": limits.body_bytes,
            "clip_seconds": limits.clip_seconds,
            "recording_seconds": limits.recording_seconds,
            "session_seconds": limits.session_seconds,
            "window_seconds": limits.window_seconds,
        },
        colors=colors_of(service.recognizer.card.classes),
    )


@router.get(
    "/v1/stream",
    summary="Stream speech over a WebSocket",
    status_code=426,
    responses=problems(*GATE_PROBLEMS, 426, 503),
)
async def stream_over_http(request: Request) -> Response:
    """Explain why a WebSocket at this address was refused.

    Browsers hide the reason from scripts. A GET request returns the same problem, or 426 if a stream can be opened.
    See docs/PROTOCOL.md.
    """
    service = service_of(request)
    service.check_open()
    service.sessions.check(client_of(request.scope))
    raise Problem(
        426, "upgrade-required", "this address is a WebSocket; see docs/PROTOCOL.md.", accepted=SUBPROTOCOL,
        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
    )  # fmt: skip


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one live stream."""
    service = service_of(socket)
    try:
        service.check_open()
        with service.sessions.take(client_of(socket.scope)):
            requested = socket.scope.get("subprotocols", [])
            await serve_stream(socket, service, SUBPROTOCOL if SUBPROTOCOL in requested else None)
    except Problem as problem:
        service.metrics.errors.labels(problem.code).inc()
        await refuse(problem, socket.scope, socket.receive, socket._send)


@router.get("/healthz", summary="Check that the process is alive", responses=problems(403, 421))
async def healthz() -> State:
    """Respond with 200; a process that does not respond should be replaced."""
    return State(status="ok")


@router.get("/readyz", summary="Check that the service takes on work", responses=problems(403, 421, 503))
async def readyz(request: Request) -> State:
    """Respond with 200 if the model is loaded and uploads can be decoded; with 503 otherwise and during shutdown."""
    service = service_of(request)
    await service.check_ready()
    return State(status="ready")


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(401, 403, 421)},
)
async def metrics(request: Request) -> Response:
    """Return metrics of requests, latency, sound, queue and errors, summed over all workers."""
    service = service_of(request)
    text = await service.in_thread(service.metrics.render)
    return Response(text, media_type=CONTENT_TYPE)


def _checked(action: Any) -> None:
    try:
        action()
    except SerkitError as error:
        raise problem_of(error) from error
