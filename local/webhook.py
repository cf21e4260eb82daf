"""`python local/webhook.py ADDRESS`: take what is posted to one path that nobody can guess, and print it.

The first line says where it listens; each line after that is the body of one POST, which has to be JSON. It runs on its
own in the node's network, where pods reach it; nothing of the project is imported.
"""

import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

PATH = f"/{secrets.token_hex()}"


class Handler(BaseHTTPRequestHandler):
    """Answers 200 to a POST to `PATH`, and 404 to anything else."""

    def do_POST(self) -> None:
        """Print the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == PATH:
            print(json.dumps(json.loads(body)), flush=True)  # noqa: T201 - the answer of this program
        self.send_response(HTTPStatus.OK if self.path == PATH else HTTPStatus.NOT_FOUND)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Say nothing: what was received is what counts."""


if __name__ == "__main__":
    server = HTTPServer((sys.argv[1], 0), Handler)
    print(f"http://{sys.argv[1]}:{server.server_port}{PATH}", flush=True)  # noqa: T201 - likewise
    server.serve_forever()
