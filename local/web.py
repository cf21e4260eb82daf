"""What a stack on the platform serves, as its users get it: by name and https, wherever the name leads.

No DNS knows the names of stacks here, so a connection goes to the platform's gateway, and name and certificate are
checked as if it had been found by DNS. An address is connected to as it stands.
"""

import ipaddress
import ssl

import httpx

from local.network import NETWORK


class _ToGateway(httpx.HTTPTransport):
    """Connects to the gateway for every host that is no address."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not _is_address(request.url.host):
            request.extensions = {**request.extensions, "sni_hostname": request.url.host}
            request.url = request.url.copy_with(host=str(NETWORK.gateway))
        return super().handle_request(request)


def client(ca: str | None = None, timeout: float = 5, base_url: str = "") -> httpx.Client:
    """Return a client that makes a connection a request, past any proxy.

    Args:
        ca: The authority that https is trusted by, as PEM; None where there is no https.
        timeout: Seconds that each step of a request may take.
        base_url: What stands before each path that is asked for. Default: URLs are whole.
    """
    trusted = ssl.create_default_context(cadata=ca) if ca else True
    once = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(
        transport=_ToGateway(verify=trusted, limits=once), timeout=timeout, trust_env=False, base_url=base_url
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
