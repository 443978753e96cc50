"""Which IP addresses a picture may be fetched from: public unicast ones, and nothing else.

Python's `is_global` is not enough: it is true of NAT64 and 6to4 forms of 127.0.0.1, of multicast and of
site-local addresses. So IPv6 has an allow list, and IPv4 some further exceptions (IANA's special registries).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPV4_EXCEPTIONS = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
)
IPV6_UNICAST = IPv6Network("2000::/3")
IPV6_EXCEPTIONS = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4: holds an IPv4 address of any kind
    IPv6Network("3fff::/20"),  # documentation
)


def is_public_address(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address belongs to the public internet."""
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
