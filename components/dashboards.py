"""Dashboards for Grafana: the panels of a service as the JSON that Grafana reads, which its sidecar finds by a label.

Made with Grafana's own library of types, so that a field that Grafana does not know cannot be written. There is no
Grafana here: the sidecar is that of its Helm chart (https://github.com/grafana/helm-charts, `sidecar.dashboards`).
"""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from components.panels import Panel, Section, Unit

FOUND_BY: Mapping[str, str] = {"grafana_dashboard": "1"}
"""Label that the sidecar looks for; its chart's default."""

_DATA = DataSourceRef(type_val="prometheus", uid="${datasource}")
_UNITS: Mapping[Unit, str] = {"requests/s": "reqps", "share": "percentunit", "s": "s", "bytes": "bytes"}
_WIDTH = 24
_HEIGHT = 8


def grafana_json(name: str, environment: str, sections: Sequence[Section]) -> str:
    """Return the dashboard of one service; the same sections give the same text."""
    board = (
        dashboard.Dashboard(f"{name} ({environment})")
        .uid(f"{name}-{environment}"[:40])
        .tags([name, environment])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
    )
    for section in sections:
        board = board.with_row(dashboard.Row(section.title))
        across = min(4, len(section.panels))
        for panel in section.panels:
            board = board.with_panel(_panel(panel).span(_WIDTH // across).height(_HEIGHT))
    return JSONEncoder(sort_keys=True).encode(board.build())


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made = (stat.Panel() if panel.figure else timeseries.Panel()).title(panel.title).description(panel.description)
    made = made.unit(_UNITS.get(panel.unit, "short")).datasource(_DATA)
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + index)).expr(query.expr).legend_format(query.legend)
        made = made.with_target(target.datasource(_DATA))
    return made
