"""The YAML that the program writes."""

import yaml

from components.yaml_text import to_yaml


def test_a_long_expression_stays_on_one_line_and_keys_are_sorted_so_that_a_diff_shows_what_changed() -> None:
    expr = " or ".join(f'(up{{service="{number}"}} == 0)' for number in range(100))
    assert to_yaml({"expr": expr, "alert": "Down"}) == f"alert: Down\nexpr: {expr}\n"


def test_what_is_read_back_is_what_was_written() -> None:
    value = {"matchers": ['severity="page"', "="], "legend": "{{pod}}", "for": None, "ratio": 14.4, "on": True}
    assert yaml.safe_load(to_yaml(value)) == value
