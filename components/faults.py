"""Faults that a service is asked to make, to see that its alerts are raised; for environments that nobody depends on.

The app makes them, told by variables that its chassis reads. That no production gets any is the policy pack's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from components import checks

ERROR_PERCENT = "FAULT_ERROR_PERCENT"
DELAY_SECONDS = "FAULT_DELAY_SECONDS"


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong with the requests of a service; its probes are spared."""

    error_percent: float = 0
    """Share of the requests that are answered with 500; 0 to 100."""

    delay_seconds: float = 0
    """What is added to each request; 0 to 30."""

    def __post_init__(self) -> None:
        """Refuse what the app would refuse when it starts."""
        checks.field("error_percent", lambda value: checks.number(value, 0, 100), self.error_percent)
        checks.field("delay_seconds", lambda value: checks.number(value, 0, 30), self.delay_seconds)

    def variables(self) -> Mapping[str, str]:
        """Return the variables by which the app is told; without exponents, which it does not read."""
        return {
            ERROR_PERCENT: f"{Decimal(str(self.error_percent)):f}",
            DELAY_SECONDS: f"{Decimal(str(self.delay_seconds)):f}",
        }
