"""``serkit serve``: the HTTP and WebSocket service with its web page."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from serkit.cli.terminal import echo
from serkit.errors import MissingExtraError
from serkit.server.service_settings import Limits, Settings, check_origins, check_root_path, read_tokens

_DEFAULTS, _LIMITS = Settings(), Limits()
_NEEDS = ("fastapi", "uvicorn", "python_multipart", "websockets", "prometheus_client")


def serve(
    *,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; only this machine can reach the default.")
    ] = (_DEFAULTS.host),
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 takes a free port.")
    ] = (_DEFAULTS.port),
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model file, or the name of an embedded model: default, emodb.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=64, help="Number of worker processes; the limits below hold for each."),
    ] = _DEFAULTS.workers,
    token_file: Annotated[
        Path | None, typer.Option(help="File of accepted tokens, one per line; clients must send one of them.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Host name of the service, such as serkit.example.org; can be repeated."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Origin of another web page that may use the service, such as https://example.org; can be repeated.",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Proxy whose X-Forwarded-For header is trusted; can be repeated."),
    ] = None,
    root_path: Annotated[
        str, typer.Option(metavar="PATH", help="Path below which a proxy serves the service, such as /serkit.")
    ] = _DEFAULTS.root_path,
    max_megabytes: Annotated[
        float, typer.Option(metavar="MB", min=0.001, max=1000, help="Maximum upload size in MB.")
    ] = (_LIMITS.body_bytes / 1e6),
    max_clip_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, max=600, help="Maximum duration of a clip for /v1/predict.")
    ] = _LIMITS.clip_seconds,
    max_recording_seconds: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, max=86_400, help="Maximum duration of a recording for /v1/timeline."),
    ] = _LIMITS.recording_seconds,
    max_requests: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="Maximum number of concurrent uploads.")
    ] = (_LIMITS.requests),
    max_timelines: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=10_000, help="Maximum number of timelines among the concurrent uploads."),
    ] = _LIMITS.timelines,
    max_sessions: Annotated[
        int, typer.Option(metavar="N", min=0, max=10_000, help="Maximum number of concurrent streams.")
    ] = (_LIMITS.sessions),
    max_session_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=86_400, help="Maximum duration of the sound in one stream.")
    ] = _LIMITS.session_seconds,
    idle_seconds: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.1, max=3600, help="Seconds without sound after which a stream is closed."
        ),
    ] = _LIMITS.idle_seconds,
    max_connections: Annotated[
        int, typer.Option(metavar="N", min=1, max=100_000, help="Maximum number of open connections.")
    ] = _LIMITS.connections,
    client_share: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.001,
            max=1,
            help="Share of uploads, timelines, streams and connections that one client may use at once; "
            "1 disables the limit.",
        ),
    ] = _LIMITS.client_share,
    min_upload_rate: Annotated[
        float,
        typer.Option(
            metavar="KB",
            min=0.01,
            max=1000,
            help="Minimum average speed of an upload in kB per second, after the first 20 seconds.",
        ),
    ] = _LIMITS.slowest_rate / 1e3,
    rate: Annotated[
        float,
        typer.Option(
            metavar="N", min=0, help="Average number of requests per second and client; 0 disables the limit."
        ),
    ] = _LIMITS.rate,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log each request, with the client's address.")
    ] = False,
) -> None:
    """Serve a model over HTTP and WebSocket, with a web page. Press Ctrl-C to stop."""
    _check_extra()
    from serkit.server.supervisor import serve as run

    limits = Limits(
        body_bytes=round(max_megabytes * 1e6), uploaded_bytes=round(4e6 * max_megabytes),
        clip_seconds=max_clip_seconds, recording_seconds=max_recording_seconds, requests=max_requests,
        timelines=max_timelines, sessions=max_sessions, session_seconds=max_session_seconds,
        idle_seconds=idle_seconds, rate=rate, connections=max_connections, client_share=client_share,
        slowest_rate=1e3 * min_upload_rate,
    )  # fmt: skip
    settings = Settings(
        host=host, port=port, model=model, workers=workers, origins=check_origins(origin or ()),
        allowed_hosts=tuple(name.lower() for name in allowed_host or ()),
        tokens=read_tokens(token_file) if token_file else frozenset(), trusted_proxies=tuple(trusted_proxy or ()),
        root_path=check_root_path(root_path),
        is_logging_requests=access_log, limits=limits,
    )  # fmt: skip

    def print_address(address: str) -> None:
        echo(f"serkit: serving at {address}; press Ctrl-C to stop.", err=True)
        if not settings.is_local and not settings.tokens:
            echo("serkit: anyone who can reach this address can use the service; see --token-file.", err=True)

    run(settings, on_start=print_address)


def _check_extra() -> None:
    try:
        for name in _NEEDS:
            import_module(name)
    except ImportError as error:
        raise MissingExtraError("serving", "server") from error
