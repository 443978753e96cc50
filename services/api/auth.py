"""Bearer authentication: an HTTP header becomes the caller that a route works for."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.api.api_keys import Caller, find_caller, unauthenticated
from services.api.dependencies import GatewayDep

bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer lum_...`")


async def authenticate(
    gateway: GatewayDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """The caller of this request. Raises Problem."""
    if credentials is None:
        raise unauthenticated("Send an API key as `Authorization: Bearer lum_...`.")
    async with gateway.database.transaction() as session:
        return await session.run_sync(find_caller, credentials.credentials)


CallerDep = Annotated[Caller, Depends(authenticate)]
"""A route with this parameter is closed to everyone without a key."""
