"""The endpoints: what a request asks for, from the service to an answer."""

import json
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response, WebSocket

from serkit.annotations.predictions import answer_as_row, answers_as_csv
from serkit.annotations.timeline_layout import colors_of
from serkit.errors import SerkitError
from serkit.runtime.decision import check_coverage
from serkit.runtime.stream import LONGEST_WINDOW, SHORTEST_HOP, SHORTEST_WINDOW
from serkit.server import examples
from serkit.server.counters import CONTENT_TYPE
from serkit.server.decoder_process import DRAWING
from serkit.server.negotiation import MEDIA_TYPES, PREDICTION_FORMATS, TIMELINE_FORMATS, bare_type, choose
from serkit.server.openapi import BODY, GATE, SOUND, Models, PredictionAnswer, State, contents, problems
from serkit.server.problems import Problem, accepted_formats, of_error
from serkit.server.security import SUBPROTOCOL, refuse
from serkit.server.service import Service, unless_gone
from serkit.server.streaming import serve_stream
from serkit.server.uploads import uploaded

PredictionFormat = StrEnum("PredictionFormat", {name: name for name in PREDICTION_FORMATS})  # type: ignore[misc]
TimelineFormat = StrEnum("TimelineFormat", {name: name for name in TIMELINE_FORMATS})  # type: ignore[misc]
Threshold = Annotated[
    float | None, Query(ge=0, le=1, description="Below this probability the answer is 'uncertain'; else the card's.")
]
router = APIRouter()


def service_of(request: Request | WebSocket) -> Service:
    """Return the service that a request reaches."""
    service: Service = request.app.state.service
    return service


@router.post(
    "/v1/predict",
    summary="Recognize the emotion of one clip",
    response_model=PredictionAnswer,
    responses={
        200: {"content": contents(examples.PREDICTION, {"text/csv": examples.PREDICTION_CSV})},
        **problems(*SOUND),
    },
    openapi_extra=BODY,
)
async def predict(
    request: Request,
    *,
    format: Annotated[PredictionFormat | None, Query(description="Else the Accept header decides.")] = None,  # noqa: A002
    top: Annotated[int | None, Query(ge=1, le=1000, description="Only the so many most probable emotions.")] = None,
    threshold: Threshold = None,
    forced: Annotated[bool, Query(description="Always name a class: never 'uncertain' or 'no speech'.")] = False,
    coverage: Annotated[
        float | None, Query(description="Also the classes among which the right one is that often: 0.8, 0.9 or 0.95.")
    ] = None,
) -> Response:
    """Recognize the emotion of one clip.

    The answer is that of `serkit predict`; `emotion` may be `uncertain` or `no speech`.
    """
    service = service_of(request)
    form = format.value if format else choose(request.headers.get("accept"), PREDICTION_FORMATS)
    set_of = None
    if coverage is not None:
        set_of = partial(service.recognizer.classes_within, coverage=coverage)
        _checked(lambda: check_coverage(service.recognizer.card, coverage))
    service.check_open()
    with service.uploads.take():
        async with uploaded(request, service.settings.limits, service.room) as sent:
            work = service.predict(sent, reject=not forced, threshold=threshold)
            answer = await unless_gone(request, work)
    card = service.recognizer.card
    if form == "csv":
        text = answers_as_csv([(Path(sent.name), answer)], card.classes, top, set_of)
        return Response(text, media_type=MEDIA_TYPES["csv"])
    row = {"file": sent.name, "model": card.name} | answer_as_row(answer, top, set_of)
    return Response(json.dumps(row), media_type=MEDIA_TYPES["json"])


@router.post(
    "/v1/timeline",
    summary="Recognize emotions over time",
    response_model=dict[str, Any],
    responses={
        200: {
            "description": "The timeline; of several formats a JSON object of each one's name and document.",
            "content": contents(
                examples.TIMELINE,
                {bare_type(name): examples.TIMELINE_SRT if name == "srt" else "" for name in TIMELINE_FORMATS[1:]},
            ),
        },
        **problems(*SOUND),
    },
    openapi_extra=BODY,
)
async def timeline(
    request: Request,
    *,
    format: Annotated[  # noqa: A002
        list[TimelineFormat] | None, Query(description="Repeat for several at once; else the Accept header decides.")
    ] = None,
    window: Annotated[
        float, Query(ge=SHORTEST_WINDOW, le=LONGEST_WINDOW, description="Seconds that the model hears at once.")
    ] = 3.0,
    hop: Annotated[
        float, Query(ge=SHORTEST_HOP, le=LONGEST_WINDOW, description="Seconds from one window to the next.")
    ] = 1.0,
    vad: Annotated[bool, Query(description="Look for speech first, or take all sound for it.")] = True,
    channels: Annotated[Literal["mix", "separate"], Query(description="Whether each channel is heard by itself.")] = (
        "mix"
    ),
    smooth: Annotated[float, Query(ge=0, le=LONGEST_WINDOW, description="Seconds of causal smoothing.")] = 0.0,
    threshold: Threshold = None,
) -> Response:
    """Recognize emotions over time: where somebody speaks, and how each stretch of it sounds.

    The answer is that of `serkit timeline`, in its formats; `drawing` is what this service's page draws.
    """
    service = service_of(request)
    offered = [name for name in TIMELINE_FORMATS if name not in ("windows-csv", DRAWING)]  # by ?format= alone
    forms = list(dict.fromkeys(one.value for one in format or ()))
    forms = forms or [choose(request.headers.get("accept"), offered)]
    settings = {
        "window": window, "hop": hop, "vad": vad, "channels": channels, "smooth": smooth, "threshold": threshold,
    }  # fmt: skip
    service.check_open()
    service.timelines.check()
    with service.uploads.take():
        async with uploaded(request, service.settings.limits, service.room) as sent:
            with service.timelines.take():  # not before: who sends slowly keeps nobody waiting
                documents = await unless_gone(request, service.timeline(sent, settings, forms))
    if len(forms) == 1:
        return Response(documents[forms[0]], media_type=MEDIA_TYPES[forms[0]])
    return Response(
        json.dumps({name: document.decode() for name, document in documents.items()}), media_type=MEDIA_TYPES["json"]
    )


@router.get("/v1/models", summary="Say which models answer", responses=problems(*GATE))
async def models(request: Request) -> Models:
    """Return the cards: labels, corpora, protocol and numbers, license, what the model must not be used for."""
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
        },
        colors=colors_of(service.recognizer.card.classes),
    )


@router.get(
    "/v1/stream", summary="Stream speech over a WebSocket", status_code=426, responses=problems(*GATE, 426, 503)
)
async def stream_over_http(request: Request) -> Response:
    """Say how to come in: a WebSocket at this address streams, see docs/PROTOCOL.md.

    A browser is not told why a WebSocket could not be opened; asked here, the service tells.
    """
    service = service_of(request)
    service.check_open()
    with service.sessions.take():
        pass
    raise Problem(
        426, "upgrade-required", "this is a WebSocket: see docs/PROTOCOL.md.", accepted=SUBPROTOCOL,
        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
    )  # fmt: skip


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Serve a stream."""
    service = service_of(socket)
    try:
        service.check_open()
        with service.sessions.take():
            asked = socket.scope.get("subprotocols", [])
            await serve_stream(socket, service, SUBPROTOCOL if SUBPROTOCOL in asked else None)
    except Problem as problem:
        service.metrics.errors.labels(problem.code).inc()
        await refuse(problem, socket.scope, socket.receive, socket._send)


@router.get("/healthz", summary="Say whether the process lives", responses=problems(403, 421))
async def healthz() -> State:
    """Answer; a process that cannot is to be replaced."""
    return State(status="ok")


@router.get("/readyz", summary="Say whether work is taken on", responses=problems(403, 421, 503))
async def readyz(request: Request) -> State:
    """Answer with 200 where the model is loaded and sound can be read, else, and while shutting down, with 503."""
    service = service_of(request)
    await service.check_ready()
    return State(status="ready")


@router.get(
    "/metrics",
    summary="Counts for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(401, 403, 421)},
)
async def metrics(request: Request) -> Response:
    """Return requests, latency, seconds of sound, queue and errors, summed over workers."""
    service = service_of(request)
    text = await service.in_thread(service.metrics.render)
    return Response(text, media_type=CONTENT_TYPE)


def _checked(action: Any) -> None:
    try:
        action()
    except SerkitError as error:
        raise of_error(error) from error
