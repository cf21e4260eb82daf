"""The pack as Pulumi's engine runs it, for `pulumi up --policy-pack policy`: shows each resource to each rule.

Imports little on purpose: every update waits for this process.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

# The engine runs this folder, so that Python looks for modules in it and not beside it.
sys.path[0] = str(Path(__file__).parents[1])

from policy.rules import RULES, UNKNOWN, Rule  # noqa: E402 - not found before


def validation(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    """Return `rule` in the form that the SDK calls."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for problem in rule.problems(args.resource_type, plain(args.props)):
            report(problem, None)

    return validate


def plain(value: Any) -> Any:
    """Return inputs as their program wrote them.

    That is without the SDK's wrapper, which raises `UnknownValueError` at each value not known yet, and with whole
    numbers where the wire has only floats.
    """
    match value:
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {key: _known(value, key) for key in value}
        case str():
            return value
        case Sequence():
            return [_known(value, index) for index in range(len(value))]
    return value


def _known(value: Any, key: Any) -> Any:
    try:
        return plain(value[key])
    except UnknownValueError:
        return UNKNOWN


def policies(rules: Iterable[Rule]) -> list[ResourceValidationPolicy]:
    """Return a mandatory policy for each rule."""
    return [
        ResourceValidationPolicy(rule.name, rule.description, validation(rule), EnforcementLevel.MANDATORY)
        for rule in rules
    ]


if __name__ == "__main__":
    PolicyPack("cloudnative", [*policies(RULES)])
