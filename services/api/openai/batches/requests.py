"""A line of a batch becomes the request of a job."""

from datetime import datetime

from services.api.auth.api_keys import Caller
from services.api.openai.batches.schemas import EDITS
from services.api.openai.images.edit_body import pictures_needed
from services.api.openai.images.requests import EditRequest, GenerationRequest, PictureFields
from services.api.openai.images.translate import job_request
from services.api.openai.images.wanted import Wanted
from services.api.openai.pictures.sources import picture_source
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import parse_object
from services.api.openai.wire.model_names import choose_model
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.jobs import Priority
from shared.schemas.jobs import JobRequest
from shared.tables import OpenAIBatch


def fields_of(endpoint: str, text: bytes) -> PictureFields:
    """The request on a line. Raises Problem."""
    body = parse_object(bytearray(text))["body"]
    fields = validated(EditRequest if endpoint == EDITS else GenerationRequest, body)
    if fields.background == "transparent":
        detail = "background: Requests of a batch have no transparent background."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="background")
    return fields


def wanted_of(caller: Caller, endpoint: str, fields: PictureFields) -> Wanted:
    """What the answer to a line has to show."""
    return Wanted(caller, "image_edit" if endpoint == EDITS else "image_generation", fields)


async def request_of(gateway: Gateway, caller: Caller, batch: OpenAIBatch, text: bytes) -> JobRequest:
    """The job of a line: of low priority, and given up at the end of the batch. Raises Problem."""
    fields = fields_of(batch.endpoint, text)
    sources: dict[str, str] = {}
    if isinstance(fields, EditRequest):
        pictures, mask = pictures_needed(fields.pictures()), fields.mask_picture()
        sources["image"] = await picture_source(gateway, caller, pictures[0], "image")
        if mask is not None:
            sources["mask"] = await picture_source(gateway, caller, mask, "mask")
    request = job_request(fields, await choose_model(gateway, fields.model), **sources)
    return at_low_priority(request, batch.expires_at)


def at_low_priority(request: JobRequest, finish_by: datetime) -> JobRequest:
    """The request as a batch sends it."""
    return request.model_copy(update={"priority": Priority.LOW, "finish_by": finish_by})
