"""Addresses from which pictures may be fetched, and non-public ones that Python calls global."""

from ipaddress import ip_address, ip_network

import pytest

from services.api.settings import GatewaySettings
from shared.egress.public_addresses import is_public_address

WRONGLY_GLOBAL = [
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::1",  # 6to4 of 127.0.0.1
    "::127.0.0.1",  # IPv4-compatible
    "224.0.0.1",  # multicast
    "192.0.0.8",
    "192.88.99.1",
    "fec0::1",  # site-local
    "5f00::1",
]
NEVER_GLOBAL = [
    "0.0.0.0",  # noqa: S104  (an address to refuse, not to bind)
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "198.18.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fd00::1",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "2001::1",  # Teredo
    "2001:db8::1",
    "3fff::1",
]


@pytest.mark.parametrize("address", WRONGLY_GLOBAL + NEVER_GLOBAL)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert is_public_address(ip_address(address)) is False


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public_address(ip_address(address)) is True


@pytest.mark.parametrize(
    "address", ["168.63.129.16", "169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"]
)
def test_the_special_addresses_of_clouds_are_refused(address: str) -> None:
    """Fixed bug: 168.63.129.16, the metadata service of Azure, was allowed."""
    assert is_public_address(ip_address(address), GatewaySettings().fetch_refused) is False


def test_further_networks_can_be_refused() -> None:
    assert is_public_address(ip_address("8.8.8.8"), [ip_network("8.8.0.0/16")]) is False
    assert is_public_address(ip_address("8.9.0.1"), [ip_network("8.8.0.0/16")]) is True
