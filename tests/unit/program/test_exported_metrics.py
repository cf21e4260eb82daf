"""What a service exports, as the program reads it."""

import math
from pathlib import Path

import pytest

from components.exported_metrics import ExportedMetrics

WEBAPP = Path(__file__).parents[3] / "app/webapp/metrics.json"


def test_a_sample_is_known_by_the_name_that_queries_have_for_it() -> None:
    names = ExportedMetrics.read(WEBAPP).names
    assert {"http_requests_total", "http_requests_in_progress", "http_request_duration_seconds_bucket"} <= names
    assert "http_requests" not in names
    assert "http_request_duration_seconds" not in names


def test_a_histograms_buckets_rise_to_infinity() -> None:
    buckets = ExportedMetrics.read(WEBAPP).buckets
    assert set(buckets) == {"http_request_duration_seconds", "http_client_request_duration_seconds"}
    bounds = buckets["http_request_duration_seconds"]
    assert 0.25 in bounds
    assert list(bounds) == sorted(set(bounds))
    assert bounds[-1] == math.inf


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        '{"a": 1}',
        '{"a": {"type": "counter"}}',
        '{"a": {"type": "histogram", "samples": []}}',
        '{"a": {"type": "histogram", "samples": [], "buckets": ["many"]}}',
    ],
)
def test_a_file_that_is_not_there_or_not_the_apps_is_an_error_that_says_what_to_do(
    text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match="must say what metrics the service exports") as error:
        ExportedMetrics.read(path)
    assert str(error.value).startswith(f"{path} must ")
    assert str(error.value).endswith("; write it by `make docs`")
