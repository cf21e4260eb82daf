"""A server on loopback that answers as a test wants, and keeps what it was sent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """What is answered: ``body``, in ``pieces`` with ``pause`` seconds before each."""

    status: int = 200
    body: bytes = b"{}"
    pieces: int = 1
    pause: float = 0.0
    together: threading.Barrier | None = None
    """What has to be reached by as many requests as it is for, before any of them is answered."""


@dataclass
class Callee:
    """The server, while it runs."""

    url: str = ""
    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    """In turn; the last one again and again."""
    requests: list[tuple[str, Message, tuple[str, int]]] = field(default_factory=list)
    """Path, headers and client's address of each request."""


@contextmanager
def running() -> Iterator[Callee]:
    """Run one."""
    callee = Callee()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections, for clients that do

        def do_GET(self) -> None:
            callee.requests.append((self.path, self.headers, self.client_address))
            reply = callee.replies.pop(0) if len(callee.replies) > 1 else callee.replies[0]
            if reply.together:
                reply.together.wait()
            size = -(-len(reply.body) // reply.pieces)
            try:
                for start in range(0, len(reply.body), size):
                    time.sleep(reply.pause)
                    if start == 0:
                        self.send_response(reply.status)
                        self.send_header("Content-Length", str(len(reply.body)))
                        self.end_headers()
                    self.wfile.write(reply.body[start : start + size])
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        callee.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield callee
        server.shutdown()
