"""Strong entity tags from the hash of a body. Source of the comparison: RFC 9110, section 13.1.2."""

import hashlib
import re
from collections.abc import Mapping

from starlette.responses import Response

NOT_MODIFIED = 304
TAG = re.compile(r'(?:W/)?("[^"]*")')


def entity_tag(body: bytes) -> str:
    """The entity tag of a body."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether If-None-Match contains the tag; weak and strong tags are compared in the same way."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in TAG.findall(if_none_match)


def tagged(body: bytes, if_none_match: str | None, media_type: str, headers: Mapping[str, str]) -> Response:
    """200 with the body and its entity tag, or 304 without a body when the client has this version."""
    tag = entity_tag(body)
    all_headers = {**headers, "ETag": tag}
    if matches(if_none_match, tag):
        return Response(status_code=NOT_MODIFIED, headers=all_headers)
    return Response(body, media_type=media_type, headers=all_headers)
