"""The inventory: what the stack consists of, in the order in which the parts need one another."""

import gc

import pulumi

import settings
from components import checks
from components.alertmanager import PORT as ALERTMANAGER_PORT
from components.alertmanager import Alertmanager, AlertmanagerArgs, Webhook
from components.availability import Autoscaling
from components.certificates import Authority, AuthorityArgs
from components.cluster import Cluster, ClusterArgs
from components.connection import migration_of
from components.database import Database, DatabaseArgs
from components.exposure import Published
from components.faults import Faults
from components.gateway import Gateway, GatewayArgs
from components.guardrails import Guardrails, GuardrailsArgs
from components.image import Credentials, Image, ImageArgs
from components.labels import Labels
from components.migration import Migration, MigrationArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.network import Peer
from components.prometheus import PORT as PROMETHEUS_PORT
from components.prometheus import Prometheus, PrometheusArgs
from components.pull_secret import PullSecret, PullSecretArgs
from components.scrape_proof import Declared
from components.service import callers, database_of, package_of
from components.tracing import Tracing
from components.web_service import WebService, WebServiceArgs
from keys.monitoring import PrometheusOperator, PrometheusServer
from services import SERVICES

# What was imported stays until the end. Without this the garbage collector would walk all of it once more when the
# program exits, for 0.15 s (measured) of every run.
gc.freeze()

GATEWAY, PROMETHEUS, ALERTMANAGER = "gateway", "prometheus", "alertmanager"

config = settings.load()
labels = Labels(
    part_of=pulumi.get_project(),
    instance=f"{pulumi.get_project()}-{config.environment}",
    owner=config.owner,
    environment=config.environment,
)

# The cluster, the stack's namespace in it, and what holds for all that is in there.
cluster = Cluster(
    "cluster",
    ClusterArgs(
        context=config.cluster.context,
        kubeconfig=config.cluster.kubeconfig,
        render_to=config.cluster.render_to,
        namespace=config.cluster.namespace,
        labels=labels,
    ),
)
declared = Declared()
in_cluster = pulumi.ResourceOptions(providers=[cluster.provider], transformations=[declared.note])
guardrails = Guardrails(
    "guardrails",
    GuardrailsArgs(
        namespace=cluster.namespace,
        labels=labels,
        quota=config.quota.of_namespace(),
        demands=config.demands,
    ),
    in_cluster,
)
namespace = guardrails.namespace

# The registry: how to push to it, and how the cluster pulls from it.
credentials = None
pull_secrets = []
if config.registry.username:
    credentials = Credentials(
        username=config.registry.username,
        password=pulumi.Output.secret(config.registry_password.get_secret_value()),
    )
    pull_secret = PullSecret(
        "registry",
        PullSecretArgs(
            namespace=namespace,
            labels=labels,
            registry=config.registry.address,
            credentials=credentials,
        ),
        in_cluster,
    )
    pull_secrets = [pull_secret.secret_name]

# Whom all services let in to their metrics, where they send spans, and who signs what they are told to trust.
if isinstance(config.monitoring, PrometheusOperator):
    scraper = Peer(namespace=config.monitoring.namespace)
else:
    scraper = Peer(pods=labels.selector(PROMETHEUS))
tracing = None
if config.tracing.endpoint and config.tracing.networks:
    tracing = Tracing(endpoint=config.tracing.endpoint, at=Peer(addresses=config.tracing.networks))
authority = Authority("authority", AuthorityArgs(common_name=labels.instance))

# The services of the map: each one's image, unless the stack names one that was built before; its database, where it
# owns one, and the migration of that; then its pods.
images: dict[str, pulumi.Input[str]] = {}
database_rules = []
running: dict[str, WebService] = {}
for service in SERVICES:
    asked = config.services[service.name]
    images[service.name] = image = (
        asked.image
        or Image(
            service.name,
            ImageArgs(
                context="app",
                dockerfile=f"app/{service.name}/Dockerfile",
                registry=config.registry.address,
                tag=config.environment,
                version=asked.version,
                base_image=config.build.base_image,
                build_image=config.build.build_image,
                platforms=config.build.platforms,
                builder=config.build.builder,
                builder_name=config.build.builder_name,
                cache=config.build.cache,
                ca_certificates=config.build.ca_certificates,
                credentials=credentials,
            ),
        ).ref
    )
    connection, migration = None, None
    if service.owns_database:
        chosen, password = config.database(service.name)
        database = Database(
            database_of(service.name),
            DatabaseArgs(
                namespace=namespace,
                namespace_name=config.cluster.namespace,
                labels=labels,
                owner=service.name,
                engine=chosen.engine(password),
                droppable=chosen.droppable,
                authority=authority,
                pull_secrets=pull_secrets,
            ),
            in_cluster,
        )
        database_rules += database.rules
        connection = database.connection(service.name)
        migration = Migration(
            migration_of(service.name),
            MigrationArgs(
                namespace=namespace,
                labels=labels,
                image=image,
                command=["/usr/bin/python3", "-m", f"{package_of(service.name)}.migrate"],
                connection=connection,
                resources=asked.resources.of_pod(),
                config={"LOG_LEVEL": asked.log_level},
                pull_secrets=pull_secrets,
            ),
            in_cluster,
        )
    running[service.name] = WebService(
        service.name,
        WebServiceArgs(
            namespace=namespace,
            namespace_name=config.cluster.namespace,
            labels=labels,
            image=image,
            replicas=asked.replicas,
            autoscaling=Autoscaling(**asked.autoscaling.model_dump()) if asked.autoscaling else None,
            port=asked.port,
            metrics_port=asked.metrics_port,
            service_port=asked.service_port,
            service_type=asked.service_type,
            source_ranges=asked.source_ranges,
            calls={edge: config.services[edge.callee].service_port for edge in service.edges},
            called_by=callers(SERVICES, service.name),
            gateway=config.gateway.peer() if config.gateway and service.paths else None,
            database=connection,
            after=[migration] if migration else [],
            scraped_by=scraper,
            exported=service.exported,
            objective=asked.objective.of_service(),
            timeout_seconds=asked.timeout_seconds,
            resources=asked.resources.of_pod(),
            log_level=asked.log_level,
            config=asked.config,
            secrets={
                name: pulumi.Output.secret(secret.get_secret_value())
                for name, secret in config.secrets(service.name).items()
            },
            pull_secrets=pull_secrets,
            faults=Faults(**asked.faults.model_dump()) if asked.faults else None,
            tracing=tracing,
        ),
        in_cluster,
    )

# The one way in from outside, where the stack has a gateway: to services, and to monitoring's servers if it is to.
url: pulumi.Input[str]
published: dict[str, Published] = {}
if config.gateway:
    routes = [
        config.gateway.route(service, config.services[service.name].service_port)
        for service in SERVICES
        if service.paths
    ]
    if isinstance(config.monitoring, PrometheusServer) and config.monitoring.published:
        for name, port in ((PROMETHEUS, PROMETHEUS_PORT), (ALERTMANAGER, ALERTMANAGER_PORT)):
            routes.append(config.gateway.route_to_server(name, port, config.monitoring.source_ranges))
            published[name] = config.gateway.published(name)
    gateway = Gateway(
        GATEWAY,
        GatewayArgs(
            namespace=namespace,
            labels=labels,
            class_name=config.gateway.class_name,
            extensions=config.gateway.extensions,
            host=config.gateway.host,
            certificate=config.gateway.issuer(authority),
            routes=routes,
        ),
        in_cluster,
    )
    url = gateway.url
    if gateway.ca:
        pulumi.export("ca_certificate", gateway.ca)
    if gateway.api_key:
        pulumi.export("api_key", gateway.api_key)
else:
    url = running["webapp"].url

# Monitoring: by servers of the stack's own, or by the cluster's.
services = [service.monitored for service in running.values()]
webhook_url = config.alert_webhook_url.get_secret_value()
match config.monitoring:
    case PrometheusServer() as server:
        alertmanager = Alertmanager(
            ALERTMANAGER,
            AlertmanagerArgs(
                namespace=namespace,
                labels=labels,
                image=server.alertmanager_image,
                sent_by=scraper,
                webhook=Webhook(
                    url=pulumi.Output.secret(webhook_url),
                    port=checks.port_of(webhook_url),
                    networks=server.webhook_networks,
                )
                if webhook_url
                else None,
                time_divisor=server.window_divisor,
                service_type=server.service_type,
                source_ranges=server.source_ranges,
                published=published.get(ALERTMANAGER),
                pull_secrets=pull_secrets,
            ),
            in_cluster,
        )
        prometheus = Prometheus(
            PROMETHEUS,
            PrometheusArgs(
                namespace=namespace,
                labels=labels,
                image=server.image,
                services=services,
                sources=server.sources(config.gateway.source(GATEWAY) if config.gateway else None),
                databases=database_rules,
                alertmanager=alertmanager,
                runbooks=server.runbooks,
                scrape_interval_seconds=server.scrape_interval_seconds,
                window_divisor=server.window_divisor,
                retention=server.retention,
                service_type=server.service_type,
                source_ranges=server.source_ranges,
                published=published.get(PROMETHEUS),
                api_server=server.api_server,
                pull_secrets=pull_secrets,
            ),
            in_cluster,
        )
        pulumi.export("prometheus_url", prometheus.url)
        pulumi.export("dashboard_url", prometheus.page_url)
        pulumi.export("alertmanager_url", alertmanager.url)
    case PrometheusOperator() as operator:
        Monitoring(
            "monitoring",
            MonitoringArgs(
                namespace=namespace,
                labels=labels,
                services=services,
                signals=operator.signals,
                databases=database_rules,
                runbooks=operator.runbooks,
                webhook_url=pulumi.Output.secret(webhook_url) if webhook_url else None,
                scrape_interval_seconds=operator.scrape_interval_seconds,
                window_divisor=operator.window_divisor,
                selected_by=operator.labels,
            ),
            in_cluster,
        )

declared.prove()

pulumi.export("url", url)
pulumi.export("images", images)
pulumi.export("namespace", namespace)
