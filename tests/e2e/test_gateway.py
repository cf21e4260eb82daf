"""What the gateway lets in and what it refuses, on the wire."""

import datetime as dt
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from components import certificates
from components.routes import HEADERS, HSTS
from local.network import NETWORK
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.gateway import client, guard
from tests.e2e.project import Project, eventually
from tests.e2e.test_faults import configured


@pytest.fixture
def project(deployed: Deployed) -> Project:
    return deployed.project


@pytest.fixture
def inside(project: Project) -> Iterator[httpx.Client]:
    """A client that the gateway lets in."""
    with client(project) as found:
        found.auth = ("api", project.output("api_key"))
        yield found


def test_the_page_is_served_by_https_to_those_who_trust_the_stacks_authority(project: Project) -> None:
    with client(project) as trusting:
        answer = trusting.get("/")
    assert (answer.status_code, answer.http_version) == (200, "HTTP/1.1")
    assert "<h1>Hello, " in answer.text


def test_whoever_trusts_another_authority_is_not_deceived(project: Project) -> None:
    another = certificates.new_authority("another", dt.datetime.now(dt.UTC))
    with (
        client(project, authority=another["certificate"]) as trusting,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        trusting.get("/")


@pytest.mark.parametrize("path", ["/", "/some/path?with=a%20query"])
def test_by_http_one_is_sent_to_the_same_url_by_https(project: Project, path: str) -> None:
    host = project.output("url").removeprefix("https://")
    answer = httpx.get(f"http://{NETWORK.gateway}{path}", headers={"Host": host}, timeout=5, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{host}{path}")


def test_every_answer_says_what_browsers_must_not_do(project: Project) -> None:
    path, _ = guard(project, "api-key")
    with client(project) as outside:
        answers = {outside.get(one).status_code: outside.get(one).headers for one in ("/", path)}
    assert answers.keys() == {200, 401}
    for headers in answers.values():
        assert {name: headers.get(name) for name in (*HEADERS, *HSTS)} == {**HEADERS, **HSTS}


def test_another_host_gets_nothing(project: Project) -> None:
    with client(project) as inside:
        answer = inside.get("/", headers={"Host": "another.cloudnative.test"})
    assert answer.status_code == 404


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_without_the_key_one_does_not_get_in(project: Project, key: str | None) -> None:
    path, _ = guard(project, "api-key")
    with client(project) as outside:
        answer = outside.get(path, auth=("api", key) if key is not None else None)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_with_the_key_one_gets_in(project: Project, inside: httpx.Client) -> None:
    path, _ = guard(project, "api-key")
    assert inside.get(path).is_success


def test_a_body_is_let_in_up_to_its_limit(project: Project, inside: httpx.Client) -> None:
    path, spec = guard(project, "body-limit")
    largest = spec["buffering"]["maxRequestBodyBytes"]
    found = {extra: inside.post(path, content=secrets.token_bytes(largest + extra)).status_code for extra in (0, 1)}
    assert found[1] == 413
    assert found[0] != 413


def test_more_requests_than_may_be_are_refused_and_then_let_in_again(
    project: Project, inside: httpx.Client, figures: Figures
) -> None:
    burst, rate = 20, 10
    with configured(project, {"gateway.rateLimit": {"requestsPerSecond": rate, "burst": burst}}):
        project.up()
        path, spec = guard(project, "rate-limit")
        assert (spec["rateLimit"]["burst"], spec["rateLimit"]["average"]) == (burst, rate)
        eventually(lambda: _refuses(inside, path, 2 * burst), "the limit is in force")
        time.sleep(2 * burst / rate)  # as long as it takes until it has room for a burst again
        begun = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            found = Counter(pool.map(lambda _: inside.get(path).status_code, range(3 * burst)))
        seconds = time.monotonic() - begun
        eventually(lambda: inside.get(path).is_success, "an answer again")
    project.up()
    figures(f"{3 * burst} requests in {seconds:.1f} s, with a burst of {burst} and {rate} a second", dict(found))
    assert found.keys() == {200, 429}
    # One more, as the gateway keeps a request waiting rather than refuse it a moment too early.
    assert found[200] <= burst + rate * (seconds + 1) + 1


def _refuses(client: httpx.Client, path: str, requests: int) -> bool:
    return httpx.codes.TOO_MANY_REQUESTS in {client.get(path).status_code for _ in range(requests)}


def test_prometheus_knows_what_became_of_requests_by_the_stacks_own_routes(
    project: Project, inside: httpx.Client
) -> None:
    def known(query: str) -> dict[str, float]:
        answer = project.get("/prometheus/api/v1/query", params={"query": query})
        return {
            "/".join(one["metric"][label] for label in ("namespace", "route")): float(one["value"][1])
            for one in answer.json()["data"]["result"]
        }

    of_all = 'sum by (namespace, route) (traefik_router_requests_total{job="gateway"%s})'
    webapp = f"{project.namespace}/webapp"
    before = known(of_all % "").get(webapp, 0)
    for _ in range(10):
        inside.get("/")
    eventually(lambda: known(of_all % "").get(webapp, 0) >= before + 10, "10 requests more to webapp")
    routes = {
        one["metadata"]["name"] for one in project.kubectl("get", "httproutes.gateway.networking.k8s.io")["items"]
    }
    assert known(of_all % "").keys() <= {f"{project.namespace}/{route}" for route in routes}

    path, _ = guard(project, "api-key")
    with client(project) as outside:
        outside.get(path)
    eventually(lambda: known(of_all % ',code="401"') != {}, "the refused request")


def test_prometheus_evaluates_the_gateways_alert(project: Project) -> None:
    groups = project.get("/prometheus/api/v1/rules").json()["data"]["groups"]
    (rule,) = [rule for group in groups for rule in group["rules"] if rule["name"] == "GatewayErrors"]
    assert (rule["health"], rule["state"]) == ("ok", "inactive")
