"""Tries connections, and says what became of each.

A program of its own, that is also run inside pods: it takes a list of ends, `[protocol, host, port]` in JSON, and
prints a list of outcomes.
"""

import json
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

OPEN, CLOSED, SILENT = "open", "closed", "no answer"
"""How a try ends. A policy refuses by silence; a port that is closed was reached."""

PATIENCE_SECONDS = 2
"""How long an answer may take: the kernel sends a packet that was lost once more after 1 s."""

QUESTION = b"\xca\xfe\x01\0\0\1\0\0\0\0\0\0\x0akubernetes\7default\3svc\7cluster\5local\0\0\1\0\1"
"""Asks a DNS server for the address of the API server."""


def tried(end: tuple[str, str, int]) -> str:
    """Return how a try of one connection ends; by UDP, it takes an answer to be open."""
    protocol, host, port = end
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect((host, port))
            if protocol == "UDP":
                connection.send(QUESTION)
                connection.recv(512)
        except TimeoutError:
            return SILENT
        except ConnectionRefusedError:
            return CLOSED
        except OSError as error:
            return str(error)
    return OPEN


def all_tried(ends: Sequence[tuple[str, str, int]]) -> list[str]:
    """Try all connections at once, and return how each ends."""
    with ThreadPoolExecutor(len(ends)) as pool:
        return list(pool.map(tried, ends))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(all_tried(json.loads(sys.argv[1]))))
