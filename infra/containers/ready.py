"""Exit with 0 if the service on this port is ready: `python -m infra.containers.ready 8000`."""

import sys
from http.client import HTTPConnection, HTTPException

PATH = "/readyz"
SECONDS = 5.0


def problem_of(port: int) -> str | None:
    """Why the service is not ready; None if it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", PATH)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"port {port} does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"{PATH} answers {status}"


if __name__ == "__main__":
    sys.exit(problem_of(int(sys.argv[1])))
