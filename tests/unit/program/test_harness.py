"""The harness itself: a test of the program must not be able to pass by accident."""

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.storage.v1 import StorageClass

from tests.unit.program.harness import Cloud, plain_texts, run


def test_a_program_that_registers_nothing_fails() -> None:
    with pytest.raises(AssertionError, match="registered nothing"):
        run(lambda: None)


def test_a_resource_of_a_type_that_is_not_expected_fails() -> None:
    class Bucket(pulumi.CustomResource):
        def __init__(self) -> None:
            super().__init__("aws:s3:Bucket", "bucket", {})

    with pytest.raises(AssertionError, match="unexpected resource type aws:s3:Bucket"):
        run(Bucket)


def test_a_function_call_fails() -> None:
    with pytest.raises(AssertionError, match="unexpected provider call aws:index:getRegion"):
        run(lambda: pulumi.runtime.invoke("aws:index:getRegion", {}))


def test_an_output_that_no_mock_gives_fails_where_it_becomes_an_input() -> None:
    def declare() -> None:
        first = StorageClass("first", metadata={"name": "first"}, provisioner="none")
        ConfigMap("second", data={"mode": first.volume_binding_mode})

    with pytest.raises(AssertionError, match="second has an unknown input"):
        run(declare)


def test_an_output_that_no_mock_gives_fails_where_it_becomes_a_stack_output() -> None:
    def declare() -> None:
        pulumi.export("mode", StorageClass("a", metadata={"name": "a"}, provisioner="none").volume_binding_mode)

    with pytest.raises(AssertionError, match="stack output mode is unknown"):
        run(declare)


def test_a_part_that_a_mocks_output_lacks_fails_where_it_becomes_a_stack_output() -> None:
    def declare() -> None:
        pulumi.export("uid", ConfigMap("first", metadata={"name": "first"}).metadata.uid)

    with pytest.raises(AssertionError, match="stack output uid is None"):
        run(declare)


def test_what_is_raised_inside_an_apply_is_raised() -> None:
    def refuse(_name: str) -> str:
        raise pulumi.RunError("refused")

    def declare() -> None:
        ConfigMap("second", data={"name": ConfigMap("first", metadata={"name": "a"}).metadata.name.apply(refuse)})

    with pytest.raises(pulumi.RunError, match="refused"):
        run(declare)


def test_all_that_was_declared_has_been_registered_when_a_run_returns() -> None:
    def declare() -> None:
        name: pulumi.Input[str] = "0"
        for number in range(20):
            name = ConfigMap(f"map-{number}", metadata={"name": name}).metadata.name

    assert len(run(declare).resources) == 20


def test_one_run_leaves_nothing_behind_for_the_next() -> None:
    run(lambda: pulumi.export("left", ConfigMap("first", metadata={"name": "a"}).metadata.name))
    second = run(lambda: ConfigMap("second", metadata={"name": "b"}))
    assert ([resource.name for resource in second.resources], second.exports) == (["second"], {})


def test_secret_inputs_are_told_from_plain_ones() -> None:
    def declare() -> None:
        ConfigMap("map", metadata={"name": "a"}, data={"hidden": pulumi.Output.secret("hush"), "shown": "hello"})

    wire = run(declare).one("ConfigMap").wire
    assert "hello" in plain_texts(wire)
    assert "hush" not in plain_texts(wire)


def test_unknown_outputs_pass_only_where_they_are_allowed() -> None:
    cloud = Cloud(unknown=["kubernetes:storage.k8s.io/v1:StorageClass"])

    def declare() -> None:
        pulumi.export("mode", StorageClass("class", provisioner="none").volume_binding_mode)

    assert run(declare, cloud=cloud, allow_unknown=True).exports == {"mode": None}
