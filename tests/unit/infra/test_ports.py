"""Ports: free, taken, and by whom."""

import os
import socket
import subprocess
import sys

from infra.local.ports import free_ports, is_free, is_listening, preferred_port


def test_free_ports_are_distinct_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(map(is_free, ports))


def test_a_preferred_port_is_given_up_when_it_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert preferred_port(port) != port
    assert preferred_port(port) == port


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
