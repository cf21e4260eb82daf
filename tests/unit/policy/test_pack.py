"""The pack as the engine runs it: a process of its own that is shown one resource after the other."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import AnalyzeRequest, AnalyzerStub, EnforcementLevel
from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_STRING_VALUE

from policy.rules import RULES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyzerStub]:
    """Start the pack from another folder, as a program of another checkout would."""
    command = [sys.executable, str(ROOT / "policy"), "127.0.0.1:1"]
    elsewhere = tmp_path_factory.mktemp("program")
    with subprocess.Popen(command, cwd=elsewhere, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            yield AnalyzerStub(channel)
        process.kill()


def shown(pack: AnalyzerStub, resource_type: str, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the policies that refuse a resource, and the last lines of what they say."""
    properties = Struct()
    properties.update(inputs)
    request = AnalyzeRequest(urn="urn", type=resource_type, name="shop", properties=properties)
    answer = pack.Analyze(request)
    assert {one.enforcementLevel for one in answer.diagnostics} <= {EnforcementLevel.MANDATORY}
    return [(one.policyName, one.message.splitlines()[-1]) for one in answer.diagnostics]


def test_every_rule_is_a_mandatory_policy(pack: AnalyzerStub) -> None:
    policies = pack.GetAnalyzerInfo(Empty()).policies
    assert [policy.name for policy in policies] == [rule.name for rule in RULES]
    assert {policy.enforcementLevel for policy in policies} == {EnforcementLevel.MANDATORY}


def test_a_resource_that_breaks_a_rule_is_refused_and_another_is_not(pack: AnalyzerStub) -> None:
    labels = {"owner": "team", "environment": "prod"}
    assert not shown(pack, "kubernetes:core/v1:ConfigMap", {"metadata": {"name": "shop", "labels": labels}})
    ((policy, said),) = shown(pack, "kubernetes:core/v1:ConfigMap", {"metadata": {"name": "shop"}})
    assert (policy, said.partition(",")[0]) == (
        "labels",
        "ConfigMap shop: metadata.labels must have owner and environment",
    )


def test_a_value_not_known_yet_is_fine_and_what_is_beside_it_is_looked_at(pack: AnalyzerStub) -> None:
    inputs = {
        "metadata": {"name": UNKNOWN_STRING_VALUE, "labels": {"owner": "team", "environment": UNKNOWN_STRING_VALUE}},
        "spec": {"containers": UNKNOWN_ARRAY_VALUE, "hostPID": True},
    }
    assert shown(pack, "kubernetes:core/v1:Pod", inputs) == [
        (
            "no-privileges",
            "a Pod without a name: hostPID must not be set, found True; remove it, and reach the node through an API",
        )
    ]


def test_a_number_is_said_as_it_was_written(pack: AnalyzerStub) -> None:
    security = {"runAsNonRoot": True, "runAsUser": 0}
    inputs = {"metadata": {}, "spec": {"securityContext": security, "containers": [{"name": "web"}]}}
    (said,) = [said for policy, said in shown(pack, "kubernetes:core/v1:Pod", inputs) if policy == "no-root"]
    assert "found 0;" in said


def test_a_secret_is_looked_into(pack: AnalyzerStub) -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": True}
    said = shown(pack, "kubernetes:core/v1:Pod", {"metadata": {}, "spec": {"hostIPC": secret}})
    assert "no-privileges" in [policy for policy, _ in said]
