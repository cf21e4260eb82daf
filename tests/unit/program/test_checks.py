"""The rules of Kubernetes and of registries."""

from decimal import Decimal

import pytest

from components import checks


@pytest.mark.parametrize("name", ["a", "webapp", "web-app-2", "a" * 63, "9"])
def test_a_dns_label_is_accepted(name: str) -> None:
    assert checks.dns_label(name) == name


@pytest.mark.parametrize("name", ["", "a" * 64, "-a", "a-", "A", "a.b", "a_b", "ä", "a\n"])
def test_what_is_no_dns_label_is_refused_with_the_rule_and_the_value(name: str) -> None:
    with pytest.raises(ValueError, match="must be lower-case letters, digits and hyphens, at most 63,") as error:
        checks.dns_label(name)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A.B", "Ä"])
def test_what_no_shell_can_name_is_refused_as_a_variable(name: str) -> None:
    with pytest.raises(ValueError, match="must be letters, digits and underscores"):
        checks.environment({name: "x"}, reserved=())


def test_a_reserved_variable_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="must not set PORT: the component or the image sets it itself"):
        checks.environment({"COLOUR": "blue", "PORT": "1"}, reserved={"PORT"})


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("0.5", "0.5"), ("250m", "0.25"), ("2k", 2000), ("1Ki", 1024), ("64Mi", 64 * 2**20), ("1G", 10**9)],
)
def test_a_quantity_is_the_number_that_kubernetes_takes_it_for(text: str, number: int | str) -> None:
    assert checks.quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "0", "0.0", "-1", "1e3", "1mi", "1 Mi", "Mi", "1,5", "1.", ".5"])
def test_what_is_no_positive_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a positive Kubernetes quantity"):
        checks.quantity(text)


def test_a_request_may_equal_its_limit_in_another_unit() -> None:
    checks.within("1000m", "1")


def test_a_request_above_its_limit_is_refused_with_both() -> None:
    with pytest.raises(ValueError, match="must not be above the limit of 1Gi, found 1025Mi"):
        checks.within("1025Mi", "1Gi")


@pytest.mark.parametrize("address", ["10.90.0.1:5000", "ghcr.io", "registry.example.com/team/sub-team", "localhost"])
def test_a_registry_is_accepted(address: str) -> None:
    assert checks.registry(address) == address


@pytest.mark.parametrize(
    "address", ["", "https://ghcr.io", "ghcr.io/", "ghcr.io/Team", "user@ghcr.io", "ghcr.io:x", "a b"]
)
def test_what_no_image_name_can_begin_with_is_refused_as_a_registry(address: str) -> None:
    with pytest.raises(ValueError, match="without a scheme"):
        checks.registry(address)


@pytest.mark.parametrize(
    "reference",
    [
        "10.90.0.1:5000/base/python:3.11",
        "python:3.11",
        "base/python:3",
        f"python@sha256:{'0' * 64}",
        f"r:5000/p:1@sha256:{'0' * 64}",
    ],
)
def test_an_image_by_digest_or_lasting_tag_is_accepted(reference: str) -> None:
    assert checks.image(reference) == reference


@pytest.mark.parametrize(
    "reference", ["", "python", "python:latest", "10.90.0.1:5000/python", "python@sha256:0", "py thon:3", "python:"]
)
def test_an_image_that_may_be_another_tomorrow_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="with a digest or a tag other than latest"):
        checks.image(reference)


@pytest.mark.parametrize("labels", [{"a": "b c"}, {"-a": "b"}, {"a": "b" * 64}, {"a/b/c": "d"}, {"": "a"}])
def test_what_the_api_server_would_refuse_as_a_label_is_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be a Kubernetes label"):
        checks.labels(labels)


def test_a_field_is_named_before_its_rule() -> None:
    with pytest.raises(ValueError, match=r"^namespace must be lower-case"):
        checks.field("namespace", checks.dns_label, "A")
