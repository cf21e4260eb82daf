"""What the app is for: a greeting that says which version answers, in which pod and environment.

At / as a page for people, at /api/info as JSON for programs.
"""

from flask import Blueprint, render_template

from webapp.config import Config

MESSAGE = "Hello, Cloud Native!"


def blueprint(config: Config) -> Blueprint:
    """Make the routes / and /api/info."""
    routes = Blueprint("greeting", __name__)
    info = {
        "message": MESSAGE,
        "version": config.version,
        "pod": config.pod,
        "environment": config.environment,
    }

    @routes.get("/")
    def page() -> str:
        return render_template("greeting.html", **info)

    @routes.get("/api/info")
    def api_info() -> dict[str, str]:
        return info

    return routes
