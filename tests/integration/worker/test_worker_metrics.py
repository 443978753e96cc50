"""The metrics of a worker that has drawn a job."""

from prometheus_client.parser import text_string_to_metric_families

from shared.jobs import JobState
from shared.metrics import metrics_text
from tests.support.platforms.platform import PlatformUnderTest

COUNTED = (
    "luminary_worker_codes_total",
    "luminary_worker_picture_passes_total",
    "luminary_worker_pass_seconds_count",
    "luminary_worker_queue_wait_seconds_count",
    "luminary_worker_step_seconds_count",
)


def samples() -> dict[str, float]:
    """Sums of the samples by name."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics_text().decode()):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def test_a_job_is_counted_with_its_codes_passes_steps_and_wait(platform: PlatformUnderTest) -> None:
    before = samples()
    with platform.working():
        job = platform.finished(platform.ask(size="96x96"))
        during = samples()
    assert job.state == JobState.SUCCEEDED
    after = samples()
    grown = {name: after[name] - before.get(name, 0.0) for name in COUNTED}
    assert grown["luminary_worker_codes_total"] == job.tokens_total
    assert grown["luminary_worker_queue_wait_seconds_count"] == 1
    assert grown["luminary_worker_step_seconds_count"] == 6
    assert 0 < grown["luminary_worker_picture_passes_total"] == grown["luminary_worker_pass_seconds_count"]
    events = after["luminary_job_events_total"] - before.get("luminary_job_events_total", 0.0)
    assert events == 3  # queued, started, succeeded
    assert during["luminary_worker_slots"] >= 2
    assert during["luminary_worker_kv_cache_tokens"] > 0
    assert during["luminary_worker_heartbeat_age_seconds"] < 60
    assert after["luminary_worker_checkpoint_age_seconds"] == 0
