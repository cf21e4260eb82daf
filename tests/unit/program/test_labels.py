"""The labels that everything has."""

from dataclasses import replace

import pytest

from tests.unit.program.harness import LABELS


def test_the_recommended_labels_say_what_an_object_is_and_belongs_to() -> None:
    assert LABELS.of("webapp", "web") == {
        "app.kubernetes.io/name": "webapp",
        "app.kubernetes.io/instance": "cloudnative-dev",
        "app.kubernetes.io/component": "web",
        "app.kubernetes.io/part-of": "cloudnative",
        "app.kubernetes.io/managed-by": "pulumi",
        "owner": "platform",
        "environment": "dev",
    }


def test_the_selector_is_a_part_of_the_labels() -> None:
    assert LABELS.selector("webapp").items() < LABELS.of("webapp", "web").items()


def test_the_selector_tells_one_service_and_one_installation_from_another() -> None:
    other = replace(LABELS, instance="cloudnative-prod")
    selectors = [LABELS.selector("webapp"), LABELS.selector("prometheus"), other.selector("webapp")]
    assert len({tuple(selector.items()) for selector in selectors}) == 3


@pytest.mark.parametrize("name", ["part_of", "instance", "owner", "environment"])
def test_what_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be a Kubernetes label"):
        replace(LABELS, **{name: "x" * 64})
