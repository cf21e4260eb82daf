"""Who is told of an alert, by the stack's own Alertmanager and by the Operator's, and that server itself."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import checks
from components.alert_routing import URL_FOLDER, URL_KEY, alertmanager_config_spec, alertmanager_yml
from components.alertmanager import Alertmanager, AlertmanagerArgs, Webhook
from components.network import Peer
from local import toolchain
from tests.unit.program.examples import NAMESPACE
from tests.unit.program.harness import (
    ADDRESS,
    LABELS,
    SECRETS,
    Run,
    as_it_stands,
    plain_texts,
    run,
    with_every_secret,
)

URL = "https://hooks.example.com:8443/hush"


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Return Alertmanager's own checker, built where it is missing."""
    return toolchain.ensure("alertmanager")["amtool"]


def args(**changes: Any) -> AlertmanagerArgs:
    return AlertmanagerArgs(
        **{
            "namespace": NAMESPACE,
            "labels": LABELS,
            "image": "base/alertmanager:0",
            "sent_by": Peer(pods=LABELS.selector("prometheus")),
            "service_type": "LoadBalancer",
            "source_ranges": ["192.0.2.0/24"],
            **changes,
        }
    )


def server(**changes: Any) -> Run:
    def declare() -> None:
        pulumi.export("url", Alertmanager("alertmanager", args(**changes)).url)

    return run(declare)


def webhook() -> Webhook:
    return Webhook(url=pulumi.Output.secret(URL), port=8443, networks=["198.51.100.0/24"])


def pod_of(made: Run) -> dict[str, Any]:
    spec: dict[str, Any] = made.one("Deployment").inputs["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("with_webhook", [True, False])
@pytest.mark.parametrize("divisor", [1, 30, 300])
def test_amtool_accepts_the_configuration(divisor: int, amtool: Path, tmp_path: Path, *, with_webhook: bool) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(alertmanager_yml(webhook=with_webhook, divisor=divisor))
    command = [str(amtool), "check-config", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - upstream's checker
    assert result.returncode == 0, result.stdout + result.stderr


def as_file(value: Any) -> Any:
    """Return a part of an AlertmanagerConfig in the words of Alertmanager's own configuration file."""
    words = {"source_match": "source_matchers", "target_match": "target_matchers"}
    match value:
        case {"name": name, "value": content}:
            return f'{name}="{content}"'
        case {"urlSecret": {"key": key}}:
            return {"url_file": f"{URL_FOLDER}/{key}", "send_resolved": value["sendResolved"]}
        case dict():
            snake = {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key): part for key, part in value.items()}
            return {words.get(key, key): as_file(part) for key, part in snake.items()}
        case list():
            return [as_file(part) for part in value]
    return value


def effective(config: Any) -> Any:
    """Return a configuration in which what a route takes from the one above is written out."""
    route = config["route"]
    inherited = {key: value for key, value in route.items() if key in {"receiver", "group_by"}}
    return {**config, "route": {**route, "routes": [{**inherited, **below} for below in route["routes"]]}}


@pytest.mark.parametrize("secret", ["webhook", None])
@pytest.mark.parametrize("divisor", [1, 30])
def test_both_forms_route_alike(secret: str | None, divisor: int) -> None:
    own = yaml.safe_load(alertmanager_yml(webhook=secret is not None, divisor=divisor))
    assert effective(as_file(alertmanager_config_spec(secret=secret, divisor=divisor))) == effective(own)


def test_a_page_is_repeated_each_hour_and_a_ticket_each_day() -> None:
    route = yaml.safe_load(alertmanager_yml(webhook=True, divisor=1))["route"]
    assert route["repeat_interval"] == "1d"
    assert [(one["matchers"], one["repeat_interval"]) for one in route["routes"]] == [(['severity="page"'], "1h")]


def test_a_page_silences_the_tickets_of_the_same_kind_and_service_only() -> None:
    config = yaml.safe_load(alertmanager_yml(webhook=True, divisor=1))
    (rule,) = config["inhibit_rules"]
    assert (rule["source_matchers"], rule["target_matchers"]) == (['severity="page"'], ['severity="ticket"'])
    assert rule["equal"] == ["alertname", "namespace", "service"] == config["route"]["group_by"]


def test_a_drill_divides_all_times_and_none_is_nothing() -> None:
    route = yaml.safe_load(alertmanager_yml(webhook=True, divisor=60))["route"]
    times = [route[key] for key in ("group_wait", "group_interval", "repeat_interval")]
    assert [*times, route["routes"][0]["repeat_interval"]] == ["1s", "5s", "24m", "1m"]


def test_the_webhooks_url_is_a_secret_that_the_server_finds_as_a_file() -> None:
    made = server(webhook=webhook())
    assert made.one("Secret").inputs["stringData"] == {URL_KEY: URL}
    assert not [one.name for one in made.resources if any("hush" in text for text in plain_texts(one.wire))]
    assert [one.type for one in made.resources if "hush" in json.dumps(one.inputs)] == ["kubernetes:core/v1:Secret"]
    volumes = {volume["name"]: volume for volume in pod_of(made)["volumes"]}
    assert volumes["webhook"]["secret"]["secretName"].startswith("alertmanager-webhook")
    mounts = {mount["name"]: mount for mount in pod_of(made)["containers"][0]["volumeMounts"]}
    assert (mounts["webhook"]["mountPath"], mounts["webhook"]["readOnly"]) == (URL_FOLDER, True)


def test_without_a_webhook_there_is_no_secret_and_nobody_is_talked_to() -> None:
    made = server()
    assert not made.all("Secret")
    assert {volume["name"] for volume in pod_of(made)["volumes"]} == {"config", "data"}
    assert "egress" not in made.one("NetworkPolicy").inputs["spec"]


def test_it_is_reached_by_those_who_look_and_by_prometheus_and_reaches_the_webhook_alone() -> None:
    spec = server(webhook=webhook()).one("NetworkPolicy").inputs["spec"]
    http = [{"port": "http", "protocol": "TCP"}]
    assert [(rule["from"], rule["ports"]) for rule in spec["ingress"]] == [
        ([{"ipBlock": {"cidr": "192.0.2.0/24"}}], http),
        ([{"podSelector": {"matchLabels": LABELS.selector("prometheus")}}], http),
    ]
    assert [(rule["to"], [port["port"] for port in rule["ports"]]) for rule in spec["egress"]] == [
        ([{"ipBlock": {"cidr": "198.51.100.0/24"}}], [8443])
    ]


def test_a_changed_configuration_rolls_the_server() -> None:
    names = {server(time_divisor=divisor).one("ConfigMap").inputs["metadata"]["name"] for divisor in (1, 30)}
    assert len(names) == 2


def test_it_reads_the_configuration_that_is_mounted() -> None:
    made = server()
    (container,) = pod_of(made)["containers"]
    (path,) = (arg.partition("=")[2] for arg in container["args"] if arg.startswith("--config.file"))
    mount = next(one for one in container["volumeMounts"] if one["name"] == "config")
    assert path.removeprefix(f"{mount['mountPath']}/") in made.one("ConfigMap").inputs["data"]


def test_there_is_never_more_than_one_server_and_it_gets_no_token() -> None:
    deployment = server().one("Deployment").inputs["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert deployment["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_service_selects_exactly_the_deployments_pods() -> None:
    made = server()
    selector = made.one("Service").inputs["spec"]["selector"]
    assert selector == made.one("Deployment").inputs["spec"]["selector"]["matchLabels"]
    assert made.exports["url"] == f"http://{ADDRESS}:9093"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "alertmanager:latest"}, "image must be an image with a digest or a tag"),
        ({"source_ranges": ["10.0.0.1/8"]}, "source_ranges must be a list of at least 1 network"),
    ],
    ids=["image", "source_ranges"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)


def test_a_webhook_at_no_network_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="networks must be a list of at least 1 network"):
        Webhook(url=URL, port=443, networks=["hooks.example.com"])


@pytest.mark.parametrize(
    ("url", "port"), [(URL, 8443), ("https://hooks.example.com/a", 443), ("http://[2001:db8::1]", 80)]
)
def test_the_port_of_a_url_is_the_one_that_stands_there_or_the_schemes(url: str, port: int) -> None:
    assert checks.port_of(url) == port


@pytest.mark.parametrize("url", ["", "hooks.example.com", "ftp://a", "https://", "https://a:x", "https://a:70000"])
def test_what_is_no_url_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be an http or https URL"):
        checks.port_of(url)


@pytest.mark.parametrize("stack", ["dev", "staging"])
def test_a_stacks_webhook_is_told_of_its_alerts_and_none_where_there_is_none(stack: str) -> None:
    for result, there in ((with_every_secret(stack), True), (as_it_stands(stack), False)):
        if stack == "dev":
            routing = yaml.safe_load(result.one("ConfigMap", "alertmanager-config").inputs["data"]["alertmanager.yml"])
        else:
            routing = result.one("AlertmanagerConfig").inputs["spec"]
        assert ("/webhook" in json.dumps(routing) or "urlSecret" in json.dumps(routing)) is there
        told = [made.inputs["stringData"] for made in result.all("Secret") if made.name.endswith("-webhook")]
        assert told == ([{URL_KEY: SECRETS["alertWebhookUrl"]}] if there else [])
