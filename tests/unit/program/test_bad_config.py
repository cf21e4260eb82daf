"""Wrong configurations by the hundred: each is refused, and the key that is wrong is named."""

import json

from tests.unit.program.configurations import CERT_MANAGER, CLOUD_NATIVE_PG, OPERATOR, VALID, changed, parsed, problems

BASES = [
    VALID,
    {
        **changed("catalog.database", CLOUD_NATIVE_PG),
        "gateway": {**VALID["gateway"], "host": "shop.example.com", "certificate": CERT_MANAGER},
        "monitoring": OPERATOR,
    },
]
ENOUGH = 200


def test_the_configurations_that_are_made_wrong_are_right() -> None:
    for base in BASES:
        parsed(base)


def test_each_of_200_generated_configurations_is_refused_by_the_key_that_is_wrong() -> None:
    # Here, as it takes a second, which every process that runs tests would pay.
    from hypothesis import Phase, given, settings
    from hypothesis import strategies as st

    from tests.wrong_configs import KINDS, Wrong, wrong

    seen: dict[str, str] = {}

    # The same ones in every run; more of them, as some come twice. None is made simpler: each is as simple as it gets.
    @settings(max_examples=ENOUGH * 3 // 2, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
    @given(st.one_of([wrong(base) for base in BASES]))
    def refused(case: Wrong) -> None:
        seen[json.dumps(case.values)] = case.kind
        assert any(line.startswith((f"{case.path} must ", f"{case.path} is ")) for line in problems(case.values))

    refused()
    assert len(seen) >= ENOUGH
    assert len(set(seen.values())) == len(KINDS)
