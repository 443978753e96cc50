"""Refuse URLs of webhooks that the io worker would refuse to request."""

import httpx2

from services.api.problems.codes import Problem, ProblemCode
from shared.egress.errors import ForbiddenUrlError
from shared.egress.guard import EgressGuard


def check_webhook_url(guard: EgressGuard, url: str, param: str) -> None:
    """Raise Problem for a user name, a port or an address that is not allowed. No name is resolved.

    param: name of the URL's field. The addresses of a name are checked at every try, because they change.
    """
    try:
        guard.check_address_in(httpx2.URL(url))
    except ForbiddenUrlError as error:
        raise Problem(ProblemCode.WEBHOOK_URL_FORBIDDEN, str(error), param=param) from error
    except httpx2.InvalidURL as error:
        raise Problem(ProblemCode.WEBHOOK_URL_FORBIDDEN, "The URL has no valid host.", param=param) from error
