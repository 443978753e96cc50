"""The dependency that gives a route its caller; the `Authentication` middleware has found it before."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase
from fastapi.security import HTTPBearer
from fastapi.security.base import SecurityBase

from services.api.auth.api_keys import Caller
from services.api.auth.middleware import caller_of

bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer lum_...`")
"""Says in the OpenAPI document that the route needs a key; it checks nothing itself."""


async def authenticated_caller(request: Request, _: Annotated[object, Depends(bearer)]) -> Caller:
    """The caller of this request."""
    caller = caller_of(request.scope)
    if caller is None:
        raise RuntimeError(f"{request.url.path} needs a caller but is below none of CLOSED_PREFIXES")
    return caller


async def optional_caller(request: Request, _: Annotated[object, Depends(bearer)]) -> Caller | None:
    """The caller of this request; None where the path needs no key and none was sent."""
    return caller_of(request.scope)


CallerDep = Annotated[Caller, Depends(authenticated_caller)]
"""A route with this parameter works for a project; its path must be below one of CLOSED_PREFIXES."""


class BasicKey(SecurityBase):
    """Says in the OpenAPI document that the key may be a password; it checks nothing itself."""

    def __init__(self) -> None:
        self.model = HTTPBase(scheme="basic", description="An API key as the password; any user name.")
        self.scheme_name = "HTTPBasic"

    def __call__(self) -> None:
        """Nothing: the middleware has checked the key."""
