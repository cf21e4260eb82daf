"""Configurations for the tests of the keys: valid ones, how to change them, and what is said of wrong ones."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

import settings
from settings import Settings, SettingsError
from tests.unit.program.harness import encoded

VALID: dict[str, Any] = {
    "environment": "dev",
    "owner": "platform",
    "cluster": {"context": "cloudnative", "namespace": "cloudnative-dev"},
    "registry": {"address": "10.90.0.1:5000"},
    "registryPassword": "",
    "allowMutableTags": True,
    **{key: {} for key in settings.SERVICE_KEYS},
    "build": {"baseImage": "10.90.0.1:5000/base/python:3.11", "buildImage": "10.90.0.1:5000/base/python-build:3.11"},
    "gateway": {
        "className": "traefik",
        "extensions": "traefik",
        "namespace": "traefik",
        "host": "10.90.1.1",
        "certificate": {"kind": "own"},
        "rateLimit": {"requestsPerSecond": 500, "burst": 1000},
    },
    "catalog": {"database": {"kind": "postgres", "image": "10.90.0.1:5000/base/postgres:15"}},
    "monitoring": {
        "kind": "prometheus",
        "image": "10.90.0.1:5000/base/prometheus:3",
        "alertmanagerImage": "10.90.0.1:5000/base/alertmanager:0",
        "apiServer": ["10.90.0.1/32"],
    },
}
OPERATOR = {"kind": "operator"}
MANAGED = {
    "kind": "managed",
    "host": "db.example.com",
    "dbname": "shop",
    "username": "shop",
    "networks": ["192.0.2.8/32"],
}
CLOUD_NATIVE_PG = {"kind": "cloudnative-pg", "apiServer": ["10.90.0.1/32"]}
CERT_MANAGER = {"kind": "cert-manager", "issuer": "letsencrypt"}
DATABASE_PASSWORD = "catalogDatabasePassword"


def parsed(values: Mapping[str, Any], *secrets: str) -> Settings:
    return settings.parse({key: encoded(value) for key, value in values.items()}, secrets=set(secrets))


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return valid values with one key set; a dot leads into an object."""
    values: dict[str, Any] = json.loads(json.dumps(VALID))
    *parents, last = path.split(".")
    node = values
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value
    return values


def without(path: str) -> dict[str, Any]:
    """Return valid values with one key left out."""
    values = changed(path, None)
    *parents, last = path.split(".")
    node = values
    for parent in parents:
        node = node[parent]
    del node[last]
    return values


def problems(values: Mapping[str, Any], *secrets: str) -> list[str]:
    """Return the lines of the error that name a key."""
    with pytest.raises(SettingsError) as error:
        parsed(values, *secrets)
    return [line.strip() for line in str(error.value).splitlines() if line.startswith("  ")]


def problem(values: Mapping[str, Any], *secrets: str) -> str:
    """Return the one line of the error that names a key."""
    (only,) = problems(values, *secrets)
    return only
