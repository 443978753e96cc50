"""Ports: free, taken, and by whom."""

import os
import socket
import subprocess
import sys

import pytest

from infra.local.ports import HOST, PortReservations, free_ports, is_free, is_listening
from infra.local.process import ProcessError

RESERVE = """
import sys
from infra.local.ports import PortReservations
sys.exit(0 if PortReservations().reserve(*map(int, sys.argv[1:])) else 1)
"""


def test_free_ports_are_distinct_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(map(is_free, ports))


def another_process_reserves(*ports: int) -> bool:
    return subprocess.run([sys.executable, "-c", RESERVE, *map(str, ports)], check=False).returncode == 0


def test_a_preferred_port_is_given_up_when_it_is_taken() -> None:
    with PortReservations() as ports:
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            assert not is_free(port)
            assert ports.prefer(port) != port
        assert ports.prefer(port) == port


def test_a_reserved_port_is_refused_to_others_until_it_is_let_go() -> None:
    with PortReservations() as ports:
        reserved, other = ports.choose(), free_ports(1)[0]
        assert not another_process_reserves(other, reserved)
        assert another_process_reserves(other)
    assert another_process_reserves(other, reserved)


def test_a_server_may_listen_on_a_reserved_port_and_nothing_else_gets_it_by_chance() -> None:
    with PortReservations() as ports:
        port = ports.choose()
        with socket.socket() as outgoing, pytest.raises(OSError, match="in use"):
            outgoing.bind((HOST, port))
        with socket.create_server((HOST, port)):
            assert is_listening(os.getpid(), port)


def test_when_one_of_several_ports_is_taken_none_stays_reserved() -> None:
    free = free_ports(1)[0]
    with PortReservations() as ports, socket.create_server((HOST, 0)) as taken:
        assert not ports.reserve(free, taken.getsockname()[1])
        assert another_process_reserves(free)


def test_a_named_port_that_another_platform_reserves_is_told_in_one_line() -> None:
    with PortReservations() as theirs, PortReservations() as ours:
        port = theirs.choose()
        with pytest.raises(ProcessError, match=f"^GATEWAY_PORT={port} is in use by another program; .*$"):
            ours.reserve_named("GATEWAY_PORT", port)


def test_a_port_belongs_to_the_process_that_listens_on_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            assert is_listening(os.getpid(), port)
            assert not is_listening(other.pid, port)
        finally:
            other.communicate()
    assert not is_listening(os.getpid(), port)
    assert not is_listening(other.pid, port)
