"""Which URLs may be requested, when an operator allows networks that are not public."""

from ipaddress import ip_address, ip_network

import httpx2
import pytest

from shared.egress.errors import ForbiddenUrlError, UnresolvedHostError
from shared.egress.guard import EgressGuard

INNER = EgressGuard(allowed=[ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
PUBLIC = EgressGuard(refused=[ip_network("93.184.216.0/24")])


@pytest.mark.parametrize(
    "url",
    [
        "http://10.1.2.3:9000/hook",
        "https://[fd00::1]:8443/hook",
        "https://93.184.216.34/",
        "http://a.example/",
    ],
)
def test_allowed_networks_are_reached_on_every_port_and_public_hosts_on_those_of_the_web(url: str) -> None:
    INNER.check_address_in(httpx2.URL(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.1/hook",
        "http://127.0.0.1/",
        "https://93.184.216.34:9000/hook",
        "https://user:password@10.1.2.3/",
        "ftp://10.1.2.3/",
        "http://[::ffff:10.1.2.3]/",
    ],
)
def test_all_others_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenUrlError):
        INNER.check_address_in(httpx2.URL(url))


def test_one_address_that_is_not_allowed_is_enough_for_a_refusal() -> None:
    good, bad = ip_address("10.0.0.1"), ip_address("192.168.0.1")
    assert INNER.check_addresses([good], 9000) == good
    with pytest.raises(ForbiddenUrlError):
        INNER.check_addresses([good, bad], 80)
    with pytest.raises(UnresolvedHostError):
        INNER.check_addresses([], 80)


def test_refused_networks_are_refused_although_they_are_public() -> None:
    with pytest.raises(ForbiddenUrlError):
        PUBLIC.check_address_in(httpx2.URL("https://93.184.216.34/"))


def test_a_port_is_refused_before_anything_is_resolved_if_no_network_is_allowed() -> None:
    with pytest.raises(ForbiddenUrlError):
        PUBLIC.check_url(httpx2.URL("https://a.example:9000/"))
    assert INNER.check_url(httpx2.URL("https://a.example:9000/")) == 9000
