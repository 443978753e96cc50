"""Request /healthz repeatedly until SIGTERM: `python -m benchmarks.health_probe PORT`."""

import http.client
import sys
import time

HOST = "127.0.0.1"
SAMPLE_SECONDS = 0.05
REFUSED = "refused"
"""Printed instead of a time when the status was not 200 or no answer came."""


def answers(port: int, path: str) -> bool:
    """True if a GET of the path returns 200; each call opens a new connection, as load balancers do."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Print the response time of each request in milliseconds, one per line."""
    port = int(sys.argv[1])
    while True:
        began = time.perf_counter()
        answered = answers(port, "/healthz")
        milliseconds = (time.perf_counter() - began) * 1000
        print(f"{milliseconds:.2f}" if answered else REFUSED, flush=True)
        time.sleep(SAMPLE_SECONDS)


if __name__ == "__main__":
    main()
