"""What the app is for: a greeting that says which version answers, in which pod and environment, and what is sold.

At / as a page for people, at /api/info as JSON for programs; the products have an API of their own, the catalog's. The
page comes whether or not the catalog answers, and says so when it does not.
"""

from flask import Blueprint, render_template

from webapp.config import Config
from webapp.products import Products

MESSAGE = "Hello, Cloud Native!"


def blueprint(config: Config, products: Products | None) -> Blueprint:
    """Make the routes / and /api/info.

    Args:
        config: what the greeting says.
        products: what is shown beside it; nothing where the app was given no catalog.
    """
    routes = Blueprint("greeting", __name__)
    info = {
        "message": MESSAGE,
        "version": config.version,
        "pod": config.pod,
        "environment": config.environment,
    }

    @routes.get("/")
    def page() -> str:
        return render_template("greeting.html", **info, shown=products.show() if products else None)

    @routes.get("/api/info")
    def api_info() -> dict[str, str]:
        return info

    return routes
