"""What each of the three stacks declares is what the policy pack lets pass."""

from pathlib import Path

import pytest

from policy.rules import RULES, Rule
from tests.unit.program.harness import PROJECT, image_lock, run_stack


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_no_rule_refuses_what_a_stack_declares(stack: str, rule: Rule, tmp_path: Path) -> None:
    overrides = {
        **image_lock(tmp_path),
        "registry": {"username": "ci"},  # so that the credentials' objects are among those looked at
        "registryPassword": "hush",
    }
    declared = run_stack(stack, overrides, secrets=[f"{PROJECT}:registryPassword"]).resources
    shown = [made for made in declared if not made.read]
    assert [problem for made in shown for problem in rule.problems(made.type, made.inputs)] == []
