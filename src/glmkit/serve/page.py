"""The page in the browser: its files as they are in the package, and what answers a request for one.

Every file is read once into a table from path to bytes. A request is looked up in that table and nowhere else, so no
path that a client sends ever reaches the file system.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.types import Receive, Scope, Send

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
# Scripts, styles and requests of the page's own origin alone; no text ever becomes markup or code.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    `etag` is quoted, as HTTP wants it; `cache_control` lets a browser keep a file for good where its address names
    its content (`?v=`).
    """

    body: bytes
    compressed: bytes
    media_type: str
    etag: str
    cache_control: str


@cache
def responses() -> Mapping[str, Asset]:
    """What is served, by path: `/`, and `/static/NAME` for each file that the page loads."""
    assets = {}
    for file in files("glmkit.serve").joinpath("static").iterdir():
        media_type = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is None:
            continue  # BUILD.json is for the tests
        body = file.read_bytes()
        is_start = file.name == "index.html"
        assets["/" if is_start else f"/static/{file.name}"] = Asset(
            body=body,
            compressed=gzip.compress(body, 9, mtime=0),
            media_type=media_type,
            etag=f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            cache_control="no-cache" if is_start else "public, max-age=31536000, immutable",
        )
    return assets


def answer(method: str, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a request.

    Args:
        method: GET or HEAD; another gets 405.
        path: The decoded path, without a query; one that is not in `responses` gets 404.
        headers: Of the request, names in lower case.
    """
    asset = responses().get(path)
    if asset is None:
        return 404, dict(SECURITY_HEADERS), b""
    if method not in ("GET", "HEAD"):
        return 405, {**SECURITY_HEADERS, "allow": "GET, HEAD"}, b""
    fields = {
        **SECURITY_HEADERS,
        "content-type": asset.media_type,
        "etag": asset.etag,
        "cache-control": asset.cache_control,
        "vary": "accept-encoding",
    }
    known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    if asset.etag in known or "*" in known:
        return 304, fields, b""
    body = asset.body
    if accepts_gzip(headers.get("accept-encoding", "")):
        body = asset.compressed
        fields["content-encoding"] = "gzip"
    fields["content-length"] = str(len(body))
    return 200, fields, b"" if method == "HEAD" else body


def accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header takes gzip: named, and not with a weight of 0."""
    for part in accepted.split(","):
        name, *weights = (piece.strip().lower() for piece in part.split(";"))
        if name in ("gzip", "*"):
            return not any(re.fullmatch(r"q=0(\.0*)?", weight) for weight in weights)
    return False


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """The page as an ASGI application, to be called for the paths in `responses`."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    status, fields, body = answer(scope["method"], scope["path"], headers)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
