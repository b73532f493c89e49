"""The files that pages load: ours, and those of Plotly and Swagger from Python packages."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from lehr_service.errors import NotFound

router = APIRouter(include_in_schema=False)

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_OURS = ("app.js", "figures.js", "style.css", "icon.svg")
_PACKAGED = {  # files that Python packages bring along, so that pages need no other server
    "plotly.min.js": ("plotly", "package_data"),
    "swagger-ui-bundle.js": ("fastapi_swagger", "resources"),
    "swagger-ui.css": ("fastapi_swagger", "resources"),
}


@cache
def _content(name: str) -> tuple[bytes, bytes]:
    """A file, plain and compressed."""
    package, folder = _PACKAGED.get(name, ("lehr_service.web", "static"))
    plain = files(package).joinpath(folder, name).read_bytes()
    return plain, gzip.compress(plain, 6, mtime=0)


@cache
def address(name: str) -> str:
    """The path of a file; it changes with the content, so browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256(_content(name)[0]).hexdigest()[:12]}"


@router.get("/static/{name}")
def static(name: str, request: Request, v: str = "") -> Response:
    if name not in (*_OURS, *_PACKAGED):
        raise NotFound(f"there is no file {name!r:.80}")
    plain, compressed = _content(name)
    kept = "public, max-age=31536000, immutable" if v else "no-cache"
    headers = {
        "Cache-Control": kept,
        "Vary": "Accept-Encoding",
    }
    takes = "gzip" in request.headers.get("accept-encoding", "")
    if takes:
        headers["Content-Encoding"] = "gzip"
    media_type = _TYPES[name.rpartition(".")[2]]
    return Response(compressed if takes else plain, headers=headers, media_type=media_type)
