"""The interactive API reference at /docs: Swagger UI, served from an installed package, not from a CDN."""

from importlib.resources import as_file, files
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

from services.api.problems.codes import Problem, ProblemCode

router = APIRouter(prefix="/docs", include_in_schema=False)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles on its elements
        "img-src 'self' data:",  # its icons are data URLs
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy: the page loads nothing from other servers."""
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Luminary API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="swagger-ui"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""


@router.get("")
async def get_page() -> Response:
    """The HTML page."""
    return HTMLResponse(PAGE, headers=HEADERS)


@router.get("/start.js")
async def get_start() -> Response:
    """The script that starts Swagger UI; a separate file, because the policy forbids inline scripts."""
    return Response(START, media_type="text/javascript", headers=HEADERS)


@router.get("/{name}")
async def get_asset(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in ASSETS:
        raise Problem(ProblemCode.NOT_FOUND, "This path does not exist.")
    return FileResponse(asset(name), media_type=ASSETS[name], headers=HEADERS)


def asset(name: str) -> Path:
    """Path of a file of the installed package."""
    with as_file(files("fastapi_offline") / "static" / name) as path:
        return path
