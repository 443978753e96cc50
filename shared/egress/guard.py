"""Check URLs that clients send, and connect to the address that was checked (SSRF protection).

The host is resolved once, all of its addresses are checked, and the request is sent to one of them. So it
does not matter if the name resolves to another address later (DNS rebinding). A redirect is a new URL and has
to be checked as well.
"""

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpx2

from shared.egress.errors import ForbiddenUrlError, UnresolvedHostError
from shared.egress.public_addresses import Network, is_public_address

Address = IPv4Address | IPv6Address

PORTS = {"http": 80, "https": 443}


class EgressGuard:
    """Decides which schemes, ports and addresses may be requested."""

    def __init__(
        self,
        *,
        ports: Sequence[int] = tuple(PORTS.values()),
        refused: Sequence[Network] = (),
        allowed: Sequence[Network] = (),
        is_allowed: Callable[[Address], bool] | None = None,
    ) -> None:
        """ports: the only ports allowed on public addresses. refused: networks that are not allowed.

        allowed: networks that are allowed on every port, although they are not public or refused.
        """
        self._ports = frozenset(ports)
        self._allowed = tuple(allowed)
        self._is_allowed = is_allowed or partial(is_public_address, refused=refused)

    def check_url(self, url: httpx2.URL) -> int:
        """The port of the URL. Raises ForbiddenUrlError."""
        if url.scheme not in PORTS or not url.host or url.userinfo:
            raise ForbiddenUrlError("Only http and https URLs without a user name are requested.")
        port = PORTS[url.scheme] if url.port is None else url.port
        if not self._allowed:
            self._check_port(port)
        return port

    def check_address_in(self, url: httpx2.URL) -> None:
        """Check the URL, and its host if that is an address; nothing is resolved. Raises ForbiddenUrlError.

        For a URL that is stored now and requested later: it is checked again then.
        """
        port = self.check_url(url)
        try:
            address = ip_address(url.host.strip("[]"))
        except ValueError:
            return
        self.check_addresses([address], port)

    def check_addresses(self, addresses: Sequence[Address], port: int) -> Address:
        """Choose the address to connect to. Raises ForbiddenUrlError or UnresolvedHostError.

        addresses: all addresses of the URL's host; each of them must be allowed with this port.
        """
        if not addresses:
            raise UnresolvedHostError("No address was found for the URL's host.")
        for address in addresses:
            if any(address in network for network in self._allowed):
                continue
            if not self._is_allowed(address):
                raise ForbiddenUrlError("The URL's host has an address that is not public.")
            self._check_port(port)
        return addresses[0]

    def _check_port(self, port: int) -> None:
        if port not in self._ports:
            allowed = ", ".join(map(str, sorted(self._ports)))
            raise ForbiddenUrlError(f"Only the ports {allowed} are requested, not {port}.")


def pinned(url: httpx2.URL, address: Address) -> dict[str, Any]:
    """Arguments of httpx2's `build_request`: connect to `address`, with the URL's host in Host and SNI."""
    return {
        "url": url.copy_with(host=str(address)),
        "headers": {"Host": url.netloc.decode("ascii")},
        "extensions": {"sni_hostname": url.raw_host.decode("ascii")},
    }
