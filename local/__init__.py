"""The embedded platform: a Kubernetes with a registry and a builder, from package registries alone. See README.md."""
