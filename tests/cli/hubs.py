"""Two hubs on localhost with one model each, speaking as much of their protocols as a download needs.

Hugging Face   GET /api/models/ID?blobs=true, /api/models/ID/tree/...; HEAD and GET /ID/resolve/REVISION/FILE
ModelScope     GET /api/v1/models/ID/repo/files?Revision=master; GET /api/v1/models/ID/repo?FilePath=FILE
"""

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "model.safetensors"


@dataclass
class FakeHub:
    """What is served. `cut`: so many bytes of the largest file are sent before the connection breaks, and none to
    whoever asks for the rest; `altered`: the last byte of the weights is another one. `read`: the files that were
    read, in order; `ranges`: where each reading of the largest began."""

    id: str
    files: Mapping[str, bytes]
    cut: int = 0
    altered: bool = False
    address: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)  # said of files, instead of their own
    read: list[str] = field(default_factory=list)
    ranges: list[int] = field(default_factory=list)

    def listed(self) -> list[tuple[str, int, str]]:
        return [
            (name, self.sizes.get(name, len(body)), hashlib.sha256(body).hexdigest())
            for name, body in self.files.items()
        ]

    def answer(self, url: str) -> tuple[str, bytes] | None:
        """The name of a file and its bytes, "" and a table, or nothing for what is not there."""
        parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
        if parts.path == f"/api/v1/models/{self.id}/repo/files":
            rows = [
                {"Path": name, "Name": name, "Type": "blob", "Size": size, "Sha256": sha, "Revision": COMMIT}
                for name, size, sha in self.listed()
            ]
            return "", json.dumps({"Code": 200, "Success": True, "Data": {"Files": rows}}).encode()
        if parts.path == f"/api/v1/models/{self.id}/repo":
            return self.file(query["FilePath"][0])
        if parts.path.startswith(f"/api/models/{self.id}/tree/"):
            rows = [{"type": "file", "path": name, "size": size, "oid": "0"} for name, size, _ in self.listed()]
            return "", json.dumps(rows).encode()
        if parts.path.startswith(f"/api/models/{self.id}"):
            siblings = [
                {"rfilename": name, "size": size, "lfs": {"size": size, "sha256": sha, "pointerSize": 1}}
                for name, size, sha in self.listed()
            ]
            return "", json.dumps({"id": self.id, "sha": COMMIT, "siblings": siblings}).encode()
        match = re.fullmatch(rf"/{self.id}/resolve/[^/]+/(.+)", parts.path)
        return self.file(match[1]) if match else None

    def file(self, name: str) -> tuple[str, bytes] | None:
        body = self.files.get(name)
        if body is None:
            return None
        return name, body[:-1] + bytes([body[-1] ^ 1]) if self.altered and name == WEIGHTS else body


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serves `hub`, whose address it sets, until the block ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = hub.answer(self.path)
            if answer is None:
                self.send_error(404)
                return
            name, body = answer
            begin = int((re.match(r"bytes=(\d+)-", self.headers.get("Range") or "") or "00")[1])
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - begin))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", "application/octet-stream" if name else "application/json")
            if name:
                self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "HEAD":
                return
            hub.read.append(name)
            if name == max(hub.files, key=lambda file: len(hub.files[file])):
                hub.ranges.append(begin)
                if hub.cut:
                    self.wfile.write(body[begin : hub.cut])
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.close()
                    return
            self.wfile.write(body[begin:])

        do_HEAD = do_GET  # noqa: N815 (the server's own name)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
