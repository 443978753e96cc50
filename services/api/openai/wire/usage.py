"""The tokens of a job as OpenAI counts them: words in, cells out."""

from pydantic import BaseModel

from shared.tables import UsageRecord


class TokenDetails(BaseModel):
    """Tokens of words and of pictures."""

    text_tokens: int = 0
    image_tokens: int = 0


class Usage(BaseModel):
    """Tokens of a request."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: TokenDetails
    output_tokens_details: TokenDetails


def usage_of(record: UsageRecord | None, given_cells: int = 0) -> Usage:
    """The usage of a job. given_cells: image tokens of the given picture, if there is one."""
    words, cells = (0, 0) if record is None else (record.prompt_tokens, record.tokens_done)
    return Usage(
        input_tokens=words + given_cells,
        output_tokens=cells,
        total_tokens=words + given_cells + cells,
        input_tokens_details=TokenDetails(text_tokens=words, image_tokens=given_cells),
        output_tokens_details=TokenDetails(image_tokens=cells),
    )
