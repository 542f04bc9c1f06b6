"""The application of one worker: endpoints, page, and what stands before them."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from serkit.server.counters import MetricsMiddleware
from serkit.server.page_files import page_router
from serkit.server.problems import Problem
from serkit.server.routes import router
from serkit.server.security import Guard, SecurityHeaders
from serkit.server.service import ClientGoneError, Service
from serkit.server.service_settings import Settings
from serkit.server.shutdown import warned_of_the_end
from serkit.version import __version__

_log = logging.getLogger("uvicorn.error")
_GONE = 499  # nginx's number for a client that did not wait; nobody reads it but the counts
_ABOUT = (
    "Recognizes emotions in speech. It hears how emotion is acted; not for decisions about people. Errors are problem "
    "details (RFC 9457). Where the service wants a token, send `Authorization: Bearer TOKEN`."
)


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its model is loaded here, so that a worker without one does not start.

    Args:
        settings: Of the service.

    Raises:
        ModelFileError: If the model cannot be read.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            with warned_of_the_end(service):
                yield
        finally:
            await service.stop()

    app = FastAPI(
        title="serkit", version=__version__, description=_ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None,  # they would load scripts from elsewhere
        redirect_slashes=False,  # to an address that a Host header makes up
    )  # fmt: skip
    app.state.service = service
    app.include_router(router)
    app.include_router(page_router())
    _tell_problems(app, service)

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
    return app


def _tell_problems(app: FastAPI, service: Service) -> None:
    def tell(problem: Problem) -> Response:
        service.metrics.errors.labels(problem.code).inc()
        return problem.response()

    @app.exception_handler(Problem)
    async def of_problem(request: Request, error: Problem) -> Response:
        return tell(error)

    @app.exception_handler(RequestValidationError)
    async def of_validation(request: Request, error: RequestValidationError) -> Response:
        faults = [{"parameter": _place(one["loc"]), "detail": str(one["msg"])} for one in error.errors()]
        detail = "; ".join(f"{fault['parameter']}: {fault['detail']}" for fault in faults)
        return tell(Problem(422, "invalid-parameter", f"{detail}.", more={"errors": faults}))

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        return tell(Problem(error.status_code, code, f"{error.detail}.", headers=error.headers))

    @app.exception_handler(ClientGoneError)
    @app.exception_handler(ClientDisconnect)  # Starlette's, in the middle of an upload
    async def of_gone(request: Request, error: Exception) -> Response:
        return Response(status_code=_GONE)


def _place(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])
