"""`/`: the chat page, as files that are served as they are.

The policy lets the page fetch from this service alone and run no script but its own files: what a model says can at
worst look odd.
"""

from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; "  # pictures that the user attached; never an address of a model's
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",  # a link in an answer looks nothing up until it is followed
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked for again, and answered with 304 where nothing has changed
}
_FOLDER = files("service") / "web"

router = APIRouter(include_in_schema=False)


class _Files(StaticFiles):
    """The page's files, with the page's headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await super().__call__(scope, receive, send_with_headers)


_files = _Files(directory=str(_FOLDER))


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page."""
    response = await _files.get_response("index.html", request.scope)
    response.headers.update(_HEADERS)
    return response


def mount_files(app: FastAPI) -> None:
    """Serve what the page loads."""
    app.mount("/web", _files, name="web")
