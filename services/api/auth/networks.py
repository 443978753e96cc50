"""From where an API key may be used: networks in CIDR notation, compared with the client's address.

The address is that of the connection, or, if the connection comes from one of `GATEWAY_TRUSTED_PROXIES`, the
last address in `X-Forwarded-For` that is none of these proxies: uvicorn's ProxyHeadersMiddleware.
"""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope

from services.api.problems.codes import Problem, ProblemCode


def client_address(scope: Scope) -> str | None:
    """The address of the request's client; None if the server does not know it."""
    client = scope.get("client")
    return client[0] if client else None


def contains(networks: Sequence[str], address: str | None) -> bool:
    """Whether one of the networks has the address; never for a text that is no address."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ip_network(network) for network in networks)


def check_network(networks: Sequence[str], scope: Scope) -> None:
    """Raise Problem if the key may be used from some networks only and the client is in none of them."""
    if networks and not contains(networks, client_address(scope)):
        raise Problem(
            ProblemCode.ADDRESS_NOT_ALLOWED,
            "This API key may not be used from the address of this request.",
            param="Authorization",
        )
