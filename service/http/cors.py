"""Web pages of the origins in `CORS_ORIGINS`: what they may send to this service and read of its answers."""

from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.headers import protect

_METHODS = ("GET", "POST", "PATCH", "DELETE")
_SENT = ("Content-Type", "Authorization", "x-api-key", "Last-Event-ID", "Idempotency-Key", "X-On-Disconnect")
_SENT_BY_CLIENTS = ("anthropic-", "x-stainless-")
"""How the headers begin that Anthropic's and OpenAI's clients add; there are more of them with each version."""
_READ = (
    "X-Stream-Id",
    "X-Model-Id",
    "X-Request-Id",
    "request-id",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Artesian-Backend",
)


class Cors(CORSMiddleware):
    """CORS for listed origins. It stands around the guard, so that a page can read its refusals too."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=[origin.rstrip("/") for origin in origins],
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_READ,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave pages that are not listed to the guard."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None or not self.is_allowed_origin(origin):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks what a page may send."""
        response = self._preflight(request_headers)
        protect(response.headers)
        return response

    def _preflight(self, request_headers: Headers) -> Response:
        asked = request_headers.get("access-control-request-headers", "")
        names = [name.strip() for name in asked.split(",") if name.strip()]
        clients = [name for name in names if name.lower().startswith(_SENT_BY_CLIENTS)]
        if not clients:
            return super().preflight_response(request_headers)
        others: dict[str, Any] = dict(request_headers)
        others["access-control-request-headers"] = ", ".join(name for name in names if name not in clients)
        if not others["access-control-request-headers"]:
            del others["access-control-request-headers"]
        response = super().preflight_response(Headers(others))
        response.headers["Access-Control-Allow-Headers"] = ", ".join(
            [response.headers["Access-Control-Allow-Headers"], *clients]
        )
        return response
