"""The ASGI application of one worker: endpoints, web page, middleware and error handlers."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from serkit.server.page_files import page_router
from serkit.server.problems import Problem
from serkit.server.prometheus import MetricsMiddleware
from serkit.server.root_path import RootPath
from serkit.server.routes import router
from serkit.server.security import Guard, SecurityHeaders
from serkit.server.service import ClientDisconnectedError, Service
from serkit.server.service_settings import Settings
from serkit.server.shutdown import graceful_shutdown
from serkit.version import __version__

_log = logging.getLogger("uvicorn.error")
_CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that disconnected; only the metrics see it
_ABOUT = (
    "Recognizes emotions in speech. The model learned from acted emotions: do not use it for decisions about people. "
    "Errors are problem details (RFC 9457). If the service requires a token, send `Authorization: Bearer TOKEN`."
)


def create_app(settings: Settings) -> FastAPI:
    """Return the application, with its model loaded: a worker without a model does not start.

    Args:
        settings: Settings of the service.

    Raises:
        ModelFileError: If the model cannot be read.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            with graceful_shutdown(service):
                yield
        finally:
            await service.stop()

    app = FastAPI(
        title="serkit", version=__version__, description=_ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None,  # these pages load scripts from other hosts
        redirect_slashes=False,  # the redirect would go to whatever host the Host header names
    )  # fmt: skip
    app.state.service = service
    app.include_router(router)
    app.include_router(page_router())
    _handle_errors(app, service)

    def count(code: str) -> None:
        service.metrics.errors.labels(code).inc()

    app.add_middleware(Guard, settings=settings, on_problem=count)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"], expose_headers=["Retry-After"],
        )  # fmt: skip
    app.add_middleware(SecurityHeaders, on_problem=count)
    app.add_middleware(MetricsMiddleware, metrics=service.metrics)
    app.add_middleware(RootPath, root_path=settings.root_path)
    return app


def _handle_errors(app: FastAPI, service: Service) -> None:
    def respond(problem: Problem) -> Response:
        service.metrics.errors.labels(problem.code).inc()
        return problem.response()

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_parameter(request: Request, error: RequestValidationError) -> Response:
        faults = [{"parameter": _parameter(one["loc"]), "detail": str(one["msg"])} for one in error.errors()]
        detail = "; ".join(f"{fault['parameter']}: {fault['detail']}" for fault in faults)
        return respond(Problem(422, "invalid-parameter", f"{detail}.", more={"errors": faults}))

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        return respond(Problem(error.status_code, code, f"{error.detail}.", headers=error.headers))

    @app.exception_handler(ClientDisconnectedError)
    @app.exception_handler(ClientDisconnect)  # raised by Starlette during an upload
    async def on_disconnect(request: Request, error: Exception) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)


def _parameter(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])
