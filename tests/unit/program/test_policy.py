"""What each of the three stacks declares is what the policy pack lets pass."""

from pathlib import Path

import pytest

from policy.rules import RULES
from tests.unit.program.harness import PROJECT, image_lock, run_stack


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_no_rule_refuses_what_a_stack_declares(stack: str, tmp_path: Path) -> None:
    overrides = {
        **image_lock(tmp_path),
        "registry": {"username": "ci"},  # so that the secrets' objects are among those looked at
        "registryPassword": "hush",
        "alertWebhookUrl": "https://murmur.example.com/",
    }
    secrets = [f"{PROJECT}:registryPassword", f"{PROJECT}:alertWebhookUrl"]
    declared = run_stack(stack, overrides, secrets=secrets).resources
    shown = [made for made in declared if not made.read]
    found = [(rule.name, one) for rule in RULES for made in shown for one in rule.problems(made.type, made.inputs)]
    assert found == []
