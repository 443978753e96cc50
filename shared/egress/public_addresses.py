"""The IP addresses that may be requested: public unicast addresses only.

Python's `is_global` is not enough: it is true for 127.0.0.1 in its NAT64 and 6to4 forms, for multicast and
for site-local addresses. So IPv6 has an allow list, and IPv4 further exceptions (IANA's special registries).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPV4_EXCEPTIONS = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
)
IPV6_UNICAST = IPv6Network("2000::/3")
IPV6_EXCEPTIONS = (
    IPv6Network("2001::/23"),  # protocol assignments, including Teredo
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4: contains any IPv4 address, also a private one
    IPv6Network("3fff::/20"),  # documentation
)


Network = IPv4Network | IPv6Network


def is_public_address(address: IPv4Address | IPv6Address, refused: Sequence[Network] = ()) -> bool:
    """Whether the address is public and in none of the refused networks."""
    if any(address in network for network in refused):
        return False
    if isinstance(address, IPv4Address):
        return (
            address.is_global
            and not address.is_multicast
            and not any(address in network for network in IPV4_EXCEPTIONS)
        )
    return (
        address in IPV6_UNICAST
        and address.is_global
        and not any(address in network for network in IPV6_EXCEPTIONS)
    )
