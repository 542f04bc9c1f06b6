"""``serkit serve``: the HTTP and WebSocket service, and its page."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from serkit.errors import MissingExtraError
from serkit.server.service_settings import Limits, Settings, check_origins, read_tokens

_DEFAULTS, _LIMITS = Settings(), Limits()
_NEEDS = ("fastapi", "uvicorn", "python_multipart", "websockets", "prometheus_client")


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen at; only this machine reaches the default.")] = (
        _DEFAULTS.host
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = (
        _DEFAULTS.port
    ),
    model: Annotated[str | None, typer.Option(help="A model file, or an embedded model: default, emodb.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer; limits hold for each.")] = (
        _DEFAULTS.workers
    ),
    token_file: Annotated[
        Path | None, typer.Option(help="A file of tokens, one a line; a client must send one of them.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name by which the service is reached: serkit.example.org; repeat.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Another web page that may use the service: https://example.org; repeat.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="Address of a proxy whose X-Forwarded-For is believed; repeat.")
    ] = None,
    max_megabytes: Annotated[float, typer.Option(min=0.001, max=1000, help="Of an upload.")] = _LIMITS.body_bytes / 1e6,
    max_clip_seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Of sound for /v1/predict.")] = (
        _LIMITS.clip_seconds
    ),
    max_recording_seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="Of sound for /v1/timeline.")] = (
        _LIMITS.recording_seconds
    ),
    max_requests: Annotated[int, typer.Option(min=1, max=10_000, help="Uploads in work at once.")] = _LIMITS.requests,
    max_timelines: Annotated[int, typer.Option(min=1, max=10_000, help="Timelines among them, which wait in turn.")] = (
        _LIMITS.timelines
    ),
    max_sessions: Annotated[int, typer.Option(min=0, max=10_000, help="Streams at once.")] = _LIMITS.sessions,
    max_session_seconds: Annotated[float, typer.Option(min=1, max=86_400, help="Of sound in one stream.")] = (
        _LIMITS.session_seconds
    ),
    idle_seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="After which a silent stream ends.")] = (
        _LIMITS.idle_seconds
    ),
    rate: Annotated[
        float, typer.Option(min=0, help="Requests a second of one client, on average; 0 does not count them.")
    ] = _LIMITS.rate,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request, with the client's address.")] = (
        False
    ),
) -> None:
    """Serve the recognizer over HTTP and WebSocket, with a page to speak to; Ctrl-C ends it."""
    _check_extra()
    from serkit.server.supervisor import serve as run

    limits = Limits(
        body_bytes=round(max_megabytes * 1e6), uploaded_bytes=round(4e6 * max_megabytes),
        clip_seconds=max_clip_seconds, recording_seconds=max_recording_seconds, requests=max_requests,
        timelines=max_timelines, sessions=max_sessions, session_seconds=max_session_seconds,
        idle_seconds=idle_seconds, rate=rate,
    )  # fmt: skip
    settings = Settings(
        host=host, port=port, model=model, workers=workers, origins=check_origins(origin or ()),
        allowed_hosts=tuple(name.lower() for name in allowed_host or ()),
        tokens=read_tokens(token_file) if token_file else frozenset(), trusted_proxies=tuple(trusted_proxy or ()),
        is_logging_requests=access_log, limits=limits,
    )  # fmt: skip

    def say(address: str) -> None:
        typer.echo(f"serkit: serving at {address}; Ctrl-C ends it.", err=True)
        if not settings.is_local and not settings.tokens:
            typer.echo("serkit: anyone who reaches this address may use it; --token-file asks for a token.", err=True)

    run(settings, on_start=say)


def _check_extra() -> None:
    try:
        for name in _NEEDS:
            import_module(name)
    except ImportError as error:
        raise MissingExtraError("serving", "server") from error
