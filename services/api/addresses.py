"""The public address of each resource, the one place that writes them."""

from uuid import UUID

from shared.ids import IdKind, format_id


def job_url(public_url: str, job_id: UUID) -> str:
    """Address of a job."""
    return f"{public_url}/v1/jobs/{format_id(IdKind.JOB, job_id)}"


def image_url(public_url: str, image_id: UUID) -> str:
    """Address of what is known of a picture."""
    return f"{public_url}/v1/images/{format_id(IdKind.IMAGE, image_id)}"


def content_url(public_url: str, image_id: UUID) -> str:
    """Address of a picture's bytes."""
    return f"{image_url(public_url, image_id)}/content"
