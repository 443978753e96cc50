"""Delete files that have expired, and what is left of files that were never finished."""

from sqlalchemy import and_, or_, select

from services.api.openai.files.parts import part_keys
from services.api.openai.files.store import remove_row
from services.api.process.acting import Purpose, as_platform, as_project
from services.api.process.gateway import Gateway
from shared.job_store.clock import database_time, time_after
from shared.tables import OpenAIFile

UNFINISHED_SECONDS = 86_400.0
"""No upload and no result of a batch takes so long."""
AT_ONCE = 20


async def sweep_files(gateway: Gateway) -> None:
    """Delete objects, then rows; several gateways may do so at once. Raises database errors, StorageError."""
    is_over = or_(
        OpenAIFile.expires_at <= database_time(),
        and_(OpenAIFile.stored_at.is_(None), OpenAIFile.created_at < time_after(-UNFINISHED_SECONDS)),
    )
    while True:
        async with as_platform(Purpose.FILES), gateway.database.transaction() as session:
            files = (await session.scalars(select(OpenAIFile).where(is_over).limit(AT_ONCE))).all()
        for file in files:
            for key in part_keys(file):
                await gateway.storage.delete(key)
            async with as_project(file.project_id), gateway.database.transaction() as session:
                await session.run_sync(remove_row, file)
        if len(files) < AT_ONCE:
            return
