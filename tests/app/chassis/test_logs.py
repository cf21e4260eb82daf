"""Logs: JSON only, one line a request, nothing secret."""

import socket

import pytest

from tests.app.conftest import Start
from tests.app.gunicorn_process import GunicornProcess

SECRET = "s3cr3t"


def test_every_line_of_every_logger_is_json_with_the_same_keys(server: GunicornProcess) -> None:
    server.get("/")
    lines = server.log()
    assert {"gunicorn.error", "chassis.access"} <= {line["logger"] for line in lines}
    for line in lines:
        assert {"timestamp", "level", "logger", "event"} <= line.keys()
        assert line["timestamp"].endswith("Z")


def test_a_request_is_logged_once_with_id_method_route_status_and_duration(server: GunicornProcess) -> None:
    server.get("/api/info", **{"X-Request-ID": "logged-once"})
    (line,) = server.log(request_id="logged-once")
    assert (line["event"], line["level"], line["logger"]) == ("request", "info", "chassis.access")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/info", 200)
    assert 0 <= line["duration_seconds"] < 60


def test_an_exception_is_logged_with_its_traceback_and_request_id(server: GunicornProcess) -> None:
    assert server.get("/api/broken", **{"X-Request-ID": "broken"}).status_code == 500
    (error,) = server.log(request_id="broken", level="error")
    assert "RuntimeError: broken on purpose" in error["exception"]
    (request,) = server.log(request_id="broken", event="request")
    assert request["status"] == 500


def test_a_traceback_does_not_show_the_values_of_variables(server: GunicornProcess) -> None:
    server.get("/api/broken", **{"X-Request-ID": "no-locals"})
    (error,) = server.log(request_id="no-locals", level="error")
    assert "7 times" in error["exception"]
    assert "hunter2" not in error["exception"]


def test_probes_are_not_logged(server: GunicornProcess) -> None:
    for path in ("/healthz", "/readyz"):
        server.get(path, **{"X-Request-ID": "probe"})
    assert server.log(request_id="probe") == []


@pytest.mark.slow
def test_probes_are_logged_at_debug_level(start: Start) -> None:
    process = start(LOG_LEVEL="debug").wait_until_ready()
    assert process.log(event="request", level="debug", route="/readyz", status=200)


def test_query_strings_and_paths_are_not_logged(server: GunicornProcess) -> None:
    server.get(f"/?token={SECRET}")
    server.get(f"/unknown/{SECRET}", **{"X-Request-ID": "unknown-path"})
    assert len(server.log(request_id="unknown-path", route="unmatched")) == 1
    assert SECRET not in server.stdout() + server.stderr()


def test_what_gunicorn_says_of_a_failed_response_does_not_show_the_query_string(server: GunicornProcess) -> None:
    assert server.get(f"/broken-stream?token={SECRET}").status_code == 500
    assert server.log(event="Error handling request GET /broken-stream?[redacted]", level="error")
    assert SECRET not in server.stdout() + server.stderr()


def test_what_gunicorn_says_of_malformed_requests_does_not_quote_them(server: GunicornProcess) -> None:
    malformed = [
        f"GET /?token={SECRET} nonsense\r\n\r\n",
        f"GET /a'b?token={SECRET} HTTP/9.9 more\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization Bearer {SECRET}\r\n\r\n",
    ]

    def complaints() -> int:
        return sum(line["event"].startswith("Invalid request from") for line in server.log())

    before = complaints()
    for request in malformed:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(request.encode())
            assert connection.recv(12) == b"HTTP/1.1 400"
    server.wait_until(lambda: complaints() == before + len(malformed), "gunicorn has complained of each")
    assert SECRET not in server.stdout() + server.stderr()


def test_a_request_does_not_inherit_the_id_of_the_one_before(server: GunicornProcess) -> None:
    server.get("/", **{"X-Request-ID": "the-one-before"})
    for _ in range(20):
        server.get("/")
    assert len(server.log(request_id="the-one-before")) == 1
