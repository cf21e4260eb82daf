"""Two services as monitoring sees them, for the tests that need one: what a test is about, it changes itself."""

from dataclasses import replace

from components import alerts
from components.exported_metrics import ExportedMetrics
from components.monitored_service import MonitoredService
from components.objective import Objective
from components.scrape_config import ScrapeTarget
from components.signals import KubeStateMetrics, Sources, Traefik
from tests.unit.program.harness import LABELS, ROOT

NAMESPACE = "cloudnative-dev"

WEBAPP = ScrapeTarget(
    name="webapp",
    namespace=NAMESPACE,
    service="webapp-metrics",
    selector=LABELS.of("webapp", "metrics"),
    pods=LABELS.selector("webapp"),
    ports=["metrics"],
    port="metrics",
)
CATALOG = ScrapeTarget(
    name="catalog",
    namespace=NAMESPACE,
    service="catalog",
    selector=LABELS.of("catalog", "metrics"),
    pods=LABELS.selector("catalog"),
    ports=["http"],
    port="http",
    path="/m",
)

EXPORTED = ExportedMetrics.read(ROOT / "app/webapp/metrics.json")
SERVICE = MonitoredService(target=WEBAPP, objective=Objective(), exported=EXPORTED, calls=["catalog"])
SERVICES = [SERVICE, replace(SERVICE, target=CATALOG, calls=[])]
DATABASE = alerts.of_database("catalog-database", namespace=NAMESPACE, owner="catalog")

SOURCES = Sources(
    kube_state_metrics=KubeStateMetrics(namespace="monitoring", service="kube-state-metrics", port=8080),
    kubelets=["10.90.0.1/32"],
    gateway=Traefik(
        gateway="gateway",
        namespace="traefik",
        service="traefik-metrics",
        port=9100,
        pods={"app.kubernetes.io/name": "traefik"},
    ),
)
