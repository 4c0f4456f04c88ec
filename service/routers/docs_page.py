"""`/docs` and `/openapi.json`: the interface, to be read and tried, without internet.

The page is ours (`service/web/docs`): it lists the events of each stream and shows them as they come. Below stands
Swagger UI from the installed package, which shows a stream only when it is over.
"""

from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

_PAGE = files("service") / "web" / "docs" / "index.html"

_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes style attributes; scripts come from this service alone."""

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def document(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def page() -> HTMLResponse:
    """The page: its modules are served with the chat page's files."""
    return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _POLICY})


def mount_assets(app: FastAPI) -> None:
    """Serve Swagger UI's files where they were installed (fastapi-offline brings them)."""
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")
