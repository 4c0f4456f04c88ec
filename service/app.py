"""The application: its parts opened in order, and closed in the opposite one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, TypedDict

from fastapi import FastAPI, Request, Response

from service import __version__
from service.access.tickets import open_tickets
from service.bedrock.catalog.offers import Offers
from service.bedrock.catalog.resolution import MODELS
from service.bedrock.client import BedrockClient, Endpoint, open_client
from service.bedrock.upstream import Upstream
from service.conversations.archive import Archive, open_archive
from service.conversations.factory import Conversations, open_conversations
from service.deltas import Done, Failed
from service.encryption import open_seal
from service.engine.engine import Engine, open_engine
from service.extras import check_extras
from service.http import problems
from service.http.authentication import open_credentials
from service.http.client_disconnect import ClientGone
from service.http.cors import Cors
from service.http.guard import Guard
from service.http.load_shedding import LoadShedding
from service.http.openapi import document
from service.http.request_metrics import RequestMetrics
from service.routers import (
    cards,
    chat,
    chat_page,
    conversations,
    docs_page,
    generate,
    health,
    messages,
    metrics,
    models,
    responses,
    streams,
    tickets,
)
from service.server import drain_on_signal, greet
from service.settings import Settings
from service.streams.factory import open_journal
from service.streams.log import StreamLog
from service.vitals import Vitals, exit_when_it_fails, noticed_when_it_fails

if TYPE_CHECKING:
    from service.telemetry.gauges import ProcessState
    from service.telemetry.labels import ModelNames
    from service.telemetry.listener import Telemetry


class AppState(TypedDict):
    """What the lifespan opens for the requests."""

    engine: Engine
    bedrock: BedrockClient
    backend_url: str | None
    offers: Offers
    conversations: Conversations
    archive: Archive
    telemetry: "Telemetry"


def create_app(settings: Settings, *, clock: Callable[[], float] = monotonic) -> FastAPI:
    """Build the application; its lifespan opens everything but the keys file, which is read here.

    `clock` gives the seconds for circuit breakers, learned concurrency limits and the retry budget.

    Raises:
        SettingsError: that file cannot be used, or an extra is missing.
    """
    check_extras(settings)
    app = FastAPI(
        title="Artesian",
        version=__version__,
        description="The streaming front door to Amazon Bedrock.",
        lifespan=_open,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Its own spans and logs would hold addresses with their query, which is where EventSource's prompt is.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = settings
    app.state.clock = clock
    app.state.address = None
    app.state.vitals = Vitals()
    app.state.tickets = open_tickets(settings)
    for router in (
        generate.router,
        streams.router,
        tickets.router,
        conversations.router,
        models.router,
        health.router,
        metrics.router,
        docs_page.router,
        chat_page.router,
        chat.router,
        responses.router,
        messages.router,
        cards.router,
    ):
        # Not by `include_router`: it keeps the router as it is, and each request is looked up in it twice (fastapi
        # 0.165: 1,200 bytecodes of 33,200).
        app.router.routes.extend(router.routes)
    docs_page.mount_assets(app)
    chat_page.mount_files(app)
    document.install(app)
    problems.install(app)
    app.add_exception_handler(ClientGone, _nobody)
    app.add_middleware(LoadShedding)
    app.add_middleware(Guard, settings=settings, credentials=open_credentials(settings, app.state.tickets))
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(RequestMetrics)
    return app


async def _nobody(_: Request, __: Exception) -> Response:
    """Answer a client that has left: 499, as nginx logs it."""
    return Response(status_code=499)


@asynccontextmanager
async def _open(app: FastAPI) -> AsyncIterator[AppState]:
    settings: Settings = app.state.settings
    async with AsyncExitStack() as stack:
        stack.enter_context(exit_when_it_fails(app.state.vitals))
        endpoint = await _endpoint(settings, stack)
        client = await stack.enter_async_context(
            open_client(endpoint, max_streams=settings.max_streams, connect_timeout=settings.connect_timeout)
        )
        telemetry = await stack.enter_async_context(_telemetry(settings, client))
        aliases = {name: (alias.id, alias.family) for name, alias in settings.model_aliases.items()}
        upstream = Upstream(client, aliases=aliases, api=settings.api)
        journal = await stack.enter_async_context(
            open_journal(
                settings.journal_url,
                lease_s=settings.lease,
                ttl_s=settings.stream_ttl,
                memory_bytes=settings.stream_memory,
                seal=open_seal(settings.encryption_key),
            )
        )
        kept = await stack.enter_async_context(  # around the engine: its last ends are kept too
            open_conversations(settings, journal)
        )
        archive = await stack.enter_async_context(
            open_archive(
                kept,
                journal,
                ttl_s=settings.response_ttl,
                longest_s=settings.request_timeout,
                sweep_s=settings.lease,
            )
        )

        def ended(log: StreamLog, end: Done | Failed) -> None:
            archive.ended(log, end)

        engine = await stack.enter_async_context(
            open_engine(settings, upstream, journal, ended, telemetry, clock=app.state.clock)
        )
        telemetry.gauges.sample_from(_standing(settings, engine, telemetry.names))
        offers = Offers(client, {name: alias.id for name, alias in settings.model_aliases.items()})
        stack.enter_context(drain_on_signal(lambda: engine.drain(settings.drain_timeout), engine.hurry))
        if app.state.address:
            greet(settings, app.state.address, endpoint.url)
        stack.enter_context(noticed_when_it_fails(app.state.vitals))
        yield {
            "engine": engine,
            "bedrock": client,
            "backend_url": endpoint.url,
            "offers": offers,
            "conversations": kept,
            "archive": archive,
            "telemetry": telemetry,
        }


def _telemetry(settings: Settings, client: BedrockClient) -> AbstractAsyncContextManager["Telemetry"]:
    """Open what listens to the engine; loaded here, since nothing else needs it."""
    from service.telemetry.listener import open_telemetry

    return open_telemetry(_model_names(settings), client, endpoint=settings.otel_exporter_otlp_endpoint)


def _model_names(settings: Settings) -> "ModelNames":
    """The models that metrics know by name."""
    from service.telemetry.labels import ModelNames

    catalogue = {name: model.id for model in MODELS for name in (model.id, *model.names)}
    aliases = {name: alias.id for name, alias in settings.model_aliases.items()}
    fallbacks = [name for model, others in settings.fallbacks.items() for name in (model, *others)]
    return ModelNames(catalogue, aliases, [settings.default_model_id, *fallbacks])


def _standing(settings: Settings, engine: Engine, names: "ModelNames") -> "Callable[[], ProcessState]":
    """What the gauges show of this process."""
    from service.telemetry.gauges import ModelState, ProcessState

    def models() -> dict[str, list[ModelState]]:
        shown: dict[str, list[ModelState]] = {}
        for circuit in engine.circuits():
            standing = ModelState(circuit.state != "closed", circuit.in_flight, circuit.queued, circuit.limit or 0)
            shown.setdefault(names.label(circuit.model_id), []).append(standing)
        return shown

    def stand() -> ProcessState:
        return ProcessState(
            open=engine.running,
            queued=engine.queued,
            detached=engine.detached,
            limit=settings.max_streams,
            memory_bytes=engine.journal.size,
            memory_limit_bytes=settings.stream_memory,
            journal_up=engine.journal.available,
            draining=engine.draining,
            models=models(),
        )

    return stand


async def _endpoint(settings: Settings, stack: AsyncExitStack) -> Endpoint:
    """Name the Bedrock to call, and start the built-in one unless it runs outside of this worker."""
    if settings.backend == "aws":
        return Endpoint.aws(settings)
    if settings.workers > 1:
        return Endpoint.local(f"http://127.0.0.1:{settings.local_port}")
    return Endpoint.local(await stack.enter_async_context(local_bedrock(settings)))


def local_bedrock(settings: Settings) -> AbstractAsyncContextManager[str]:
    """Run the built-in Bedrock while the block lasts; the value is its address."""
    from service.local.server import serve_local

    return serve_local(
        port=settings.local_port,
        rate=settings.local_rate,
        faults=settings.local_faults,
        text_url=settings.local_text_url,
    )
