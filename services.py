"""The map of the system: its services, who calls whom, who owns a database, and what the gateway leads to.

One service more is one declaration here, and `app/<name>`. How much of each runs in an environment stands in
`Pulumi.<stack>.yaml`; `make map` draws this file as `docs/map.svg`.
"""

from pathlib import Path

from components.exported_metrics import ExportedMetrics
from components.service import Service, check


def _exported(name: str) -> ExportedMetrics:
    return ExportedMetrics.read(Path(__file__).parent / "app" / name / "metrics.json")


catalog = Service(
    name="catalog",
    exported=_exported("catalog"),
    owns_database=True,
    paths=["/api/products"],
    needs_key=True,
)
webapp = Service(name="webapp", exported=_exported("webapp"), paths=["/"])

webapp.calls(catalog, timeout=0.5, retries=2)

SERVICES = check([catalog, webapp])
