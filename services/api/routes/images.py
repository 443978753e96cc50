"""Pictures: upload, describe, read."""

from fastapi import APIRouter
from starlette.responses import Response

from services.api.answers import tagged
from services.api.auth import CallerDep
from services.api.dependencies import GatewayDep, IfNoneMatch, ImageId
from services.api.image_store import content_headers, find_image, read_content, store_picture
from services.api.problem_documents import problem_responses
from services.api.problems import ProblemCode
from services.api.schemas import ImageResponse
from services.api.uploads import UPLOAD_BODY, UploadedBytes

router = APIRouter(
    prefix="/v1/images",
    tags=["images"],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.DATABASE_UNAVAILABLE,
        ProblemCode.STORAGE_UNAVAILABLE,
    ),
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND, ProblemCode.IMAGE_EXPIRED)
REFUSED_UPLOADS = problem_responses(
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.IMAGE_UNREADABLE,
    ProblemCode.IMAGE_TOO_LARGE,
    ProblemCode.IMAGE_UNAVAILABLE,
    ProblemCode.IMAGE_URL_FORBIDDEN,
)
ANY_PICTURE = {"schema": {"type": "string", "format": "binary"}}


@router.post("", status_code=201, openapi_extra=UPLOAD_BODY, responses=REFUSED_UPLOADS)
async def post_image(
    caller: CallerDep, gateway: GatewayDep, data: UploadedBytes, response: Response
) -> ImageResponse:
    """Store a PNG, JPEG or WebP picture; jobs then name it by its id."""
    image = await store_picture(gateway, caller.project_id, data)
    described = ImageResponse.of(image, gateway.settings.gateway.public_url)
    response.headers["Location"] = described.url.removesuffix("/content")
    return described


@router.get("/{image_id}", responses=NOT_FOUND)
async def get_image(caller: CallerDep, gateway: GatewayDep, image_id: ImageId) -> ImageResponse:
    """What is known of a picture."""
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_image, caller.project_id, image_id)
    return ImageResponse.of(image, gateway.settings.gateway.public_url)


@router.get(
    "/{image_id}/content",
    response_class=Response,
    responses={
        **NOT_FOUND,
        200: {
            "description": "The picture as it is stored.",
            "content": {"image/png": ANY_PICTURE, "image/jpeg": ANY_PICTURE, "image/webp": ANY_PICTURE},
        },
    },
)
async def get_content(
    caller: CallerDep, gateway: GatewayDep, image_id: ImageId, if_none_match: IfNoneMatch = None
) -> Response:
    """The bytes of a picture. They never change, so they may be cached for ever."""
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_image, caller.project_id, image_id)
    data = await read_content(gateway, image)
    return tagged(data, if_none_match, image.media_type, content_headers(image))
