"""Act as a worker: draw the next job with a real file in the storage, so that routes can send it."""

from shared.database import Database
from shared.job_store import Answer, ClaimedJob, Output, StoredImage, UsageAmounts, succeed_job
from shared.storage import ObjectStorage, upload_folder
from shared.token_grid import TokenGrid
from tests.support.factories import claim
from tests.support.gateway.clients import png
from tests.support.platforms.platform import eventually

USAGE = UsageAmounts(images=1, prompt_tokens=5, tokens_done=4, compute_seconds=0.5)


def claim_soon(database: Database) -> ClaimedJob:
    """Claim the next job, which may not be queued yet."""
    return eventually(lambda: claim(database), "a job in the queue")


def draw_next(database: Database, storage: ObjectStorage, size: tuple[int, int] = (64, 64)) -> ClaimedJob:
    """Draw all pictures of the next job, which may not be queued yet; the job as it was claimed."""
    claimed = claim_soon(database)
    outputs = tuple(stored_output(storage, claimed, number, size) for number in range(claimed.request["n"]))
    with database.transaction() as session:
        succeed_job(session, claimed.lease, Answer(outputs, USAGE))
    return claimed


def stored_output(storage: ObjectStorage, claimed: ClaimedJob, number: int, size: tuple[int, int]) -> Output:
    """A stored picture of one colour, which differs between the candidates of a job."""
    data = png(*size, colour=(200, 10 * number, 60))
    stored = storage.put_image(upload_folder(claimed.project_id), data, "image/png")
    image = StoredImage(stored.key, stored.sha256, "image/png", stored.byte_size, *size)
    columns, rows = size[0] // 8, size[1] // 8
    return Output(image, TokenGrid(rows, columns, (number,) * (rows * columns)), "tiny", score=1.0)
