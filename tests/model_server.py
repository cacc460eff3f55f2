"""A real HTTP server on this machine that behaves as it is told, and models to serve."""

import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from interactivenet.models.bundle import write_bundle
from interactivenet.system.archives import zip_folder
from tests.random_model import make_model
from tests.sample_cases import make_plan

RECORD = "/api/records/8054038"
#: enough that half of it is more than one chunk of a download
DATA = bytes(range(256)) * 2000


def md5(data):
    return f"md5:{hashlib.md5(data).hexdigest()}"


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Site:
    """What a server has, and how it behaves.

    files: path -> bytes.  statuses: sent in place of the next answers.  breaks: bytes after which
    the next answers break off, None for whole ones.  asked: (path, Range, If-Range) of requests.
    """

    files: dict = field(default_factory=dict)
    ranges: bool = True
    tag: str | None = '"one"'
    statuses: list = field(default_factory=list)
    breaks: list = field(default_factory=list)
    redirects: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    chunked: bool = False
    stall: bool = False
    released: threading.Event = field(default_factory=threading.Event)
    asked: list = field(default_factory=list)
    url: str = ""

    def publish(self, **files):
        """Serve files as the record of Zenodo does: NAME=bytes gives NAME.zip."""
        entries = []
        for name, data in files.items():
            path = f"{RECORD}/files/{name}.zip/content"
            self.files[path] = data
            entries.append({"key": f"{name}.zip", "size": len(data), "checksum": md5(data),
                            "links": {"self": self.url + path}})  # fmt: skip
        self.files[RECORD] = json.dumps({"files": entries}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site, path = self.server.site, self.path.partition("?")[0]
        wish = self.headers.get("Range")
        site.asked.append((path, wish, self.headers.get("If-Range")))
        self.close_connection = True
        if path in site.redirects:
            return self.head(302, 0, {"Location": site.redirects[path]})
        data = site.files.get(path)
        status = site.statuses.pop(0) if site.statuses else 200 if data is not None else 404
        if status != 200:
            return self.head(status, 0)
        start = 0
        unchanged = self.headers.get("If-Range") in (None, site.tag)
        if wish and site.ranges and unchanged:
            start = int(wish.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self.head(416, 0)
        headers = dict(site.extra) | ({"ETag": site.tag} if site.tag else {})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.head(206 if start else 200, None if site.chunked else len(data) - start, headers)
        end = site.breaks.pop(0) if site.breaks and path != RECORD else None
        data = data[start:][:end]
        if site.chunked:
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
        else:
            self.wfile.write(data)
        if site.stall:
            self.wfile.flush()
            site.released.wait(10)

    def head(self, status, length, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()


@contextmanager
def serving():
    """Run a server on a free port and give its site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.site = site = Site(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def make_task_bundle(folder, folds=(0, 2)):
    """Write a bundle of random weights, of the task that the folder is named after."""
    plan = make_plan((1.0, 1.0, 1.5), task=folder.name)
    write_bundle(make_model(folder.parent / ".weights", plan, folds), folder)
    return folder


def make_zip(folder, path):
    """Zip a bundle as ``deploy --zip`` does, and return the zip's path."""
    zip_folder(folder, path, folder.name)
    return path
