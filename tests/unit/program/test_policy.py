"""What each of the three stacks declares is what the policy pack lets pass."""

import pytest

from policy.rules import RULES
from tests.unit.program.harness import with_every_secret


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_no_rule_refuses_what_a_stack_declares(stack: str) -> None:
    declared = with_every_secret(stack).resources
    shown = [made for made in declared if not made.read]
    found = [(rule.name, one) for rule in RULES for made in shown for one in rule.problems(made.type, made.inputs)]
    assert found == []
