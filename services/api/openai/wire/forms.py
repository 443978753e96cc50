"""Read a form (multipart/form-data) as its clients write it: `image`, `image[]` or `image[0]`."""

import re
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import UploadFile

from services.api.http.json_bodies import media_type_of

FORM = "multipart/form-data"
MOST_FILES = 18
MOST_FIELDS = 64
MOST_FIELD_BYTES = 1024 * 1024
INDEX = re.compile(r"\[\d*\]$")


@dataclass(frozen=True)
class Form:
    """The fields of a form. An index at the end of a name is left out."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    """The first text of each name."""
    files: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    file_names: dict[str, str] = field(default_factory=dict[str, str])
    """The name of the first file of each field."""

    def sources(self, name: str) -> list[str | bytes]:
        """The files of a field, and its text if there is one: some clients send a URL or base64."""
        text = self.texts.get(name)
        return [*self.files.get(name, []), *([text] if text else [])]


def is_form(request: Request) -> bool:
    """Whether the body is a form."""
    return media_type_of(request) == FORM


async def read_form(request: Request) -> Form:
    """The whole form. Raises HTTPException, which becomes a problem, for a malformed one."""
    read = Form()
    async with request.form(
        max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=MOST_FIELD_BYTES
    ) as form:
        for name, value in form.multi_items():
            plain = INDEX.sub("", name)
            if isinstance(value, UploadFile):
                read.files.setdefault(plain, []).append(await value.read())
                read.file_names.setdefault(plain, value.filename or "")
            else:
                read.texts.setdefault(plain, value)
    return read
