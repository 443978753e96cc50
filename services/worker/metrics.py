"""Prometheus metrics of GPU workers and io workers, in the registry of the process."""

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import REGISTRY

WAIT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
STEP_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
PASS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
ETA_RATIOS = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5)

QUEUE_WAIT = Histogram(
    "luminary_worker_queue_wait_seconds",
    "Seconds that a claimed job had waited since it could be claimed, by queue.",
    ["queue"],
    buckets=WAIT_SECONDS,
    registry=REGISTRY,
)
STEPS = Histogram(
    "luminary_worker_step_seconds",
    "Seconds of an attempt's step.",
    ["step"],
    buckets=STEP_SECONDS,
    registry=REGISTRY,
)
CODES = Counter("luminary_worker_codes", "Codes drawn, without those of earlier attempts.", registry=REGISTRY)
PICTURE_PASSES = Counter(
    "luminary_worker_picture_passes", "Forward passes, counted for each picture in them.", registry=REGISTRY
)
ACCEPTED_DRAFTS = Counter(
    "luminary_worker_accepted_drafts",
    "Codes beyond the one that each pass of a picture settles: drafts that were right.",
    registry=REGISTRY,
)
PASSES = Histogram(
    "luminary_worker_pass_seconds",
    "Seconds of one forward pass with all its pictures.",
    buckets=PASS_SECONDS,
    registry=REGISTRY,
)
PICTURES = Gauge(
    "luminary_worker_pictures",
    "Pictures in the engine: running or waiting for memory.",
    ["state"],
    registry=REGISTRY,
)
MOST_PICTURES = Gauge(
    "luminary_worker_most_pictures",
    "Pictures that the engine draws at the same time at most.",
    registry=REGISTRY,
)
SLOTS = Gauge("luminary_worker_slots", "Slots of the worker: used or all.", ["state"], registry=REGISTRY)
KV_CACHE = Gauge(
    "luminary_worker_kv_cache_tokens", "Tokens of KV cache: used or all.", ["state"], registry=REGISTRY
)
CHECKPOINT_AGE = Gauge(
    "luminary_worker_checkpoint_age_seconds",
    "Seconds since the last save of the running attempt that has waited longest for one.",
    registry=REGISTRY,
)
HEARTBEAT_AGE = Gauge(
    "luminary_worker_heartbeat_age_seconds",
    "Seconds since the last heartbeat that was written.",
    registry=REGISTRY,
)
LOST_LEASES = Counter(
    "luminary_worker_lost_leases", "Attempts that noticed that their lease was lost.", registry=REGISTRY
)
ETA_ERROR = Histogram(
    "luminary_worker_eta_error_ratio",
    "Error of an attempt's first estimate of its time left, as a part of the true time.",
    buckets=ETA_RATIOS,
    registry=REGISTRY,
)
GPU_MEMORY = Gauge(
    "luminary_worker_gpu_memory_bytes",
    "Memory of the GPU: allocated, reserved or all.",
    ["state"],
    registry=REGISTRY,
)
INFO = Gauge(
    "luminary_worker_info",
    "Always 1; the labels describe the loaded model.",
    ["model", "precision", "device"],
    registry=REGISTRY,
)

ROUNDS = Histogram(
    "luminary_worker_round_seconds",
    "Seconds of one round of periodic work that succeeded.",
    ["round"],
    buckets=STEP_SECONDS,
    registry=REGISTRY,
)
FAILED_ROUNDS = Counter(
    "luminary_worker_failed_rounds",
    "Rounds of periodic work that a fault of the database or the storage ended.",
    ["round"],
    registry=REGISTRY,
)
EXPIRED_LEASES = Counter(
    "luminary_io_expired_leases", "Jobs taken back from workers that sent no heartbeat.", registry=REGISTRY
)
WEBHOOK_TRIES = Counter(
    "luminary_io_webhook_tries", "Tries to deliver a webhook, by result.", ["result"], registry=REGISTRY
)
WEBHOOK_ENDS = Counter(
    "luminary_io_webhook_deliveries",
    "Deliveries of webhooks that ended: delivered, exhausted or abandoned.",
    ["end"],
    registry=REGISTRY,
)
WEBHOOK_SECONDS = Histogram(
    "luminary_io_webhook_try_seconds", "Seconds of one try.", buckets=STEP_SECONDS, registry=REGISTRY
)
WEBHOOK_DELAY = Histogram(
    "luminary_io_webhook_delay_seconds",
    "Seconds from an event to the first try of its webhook.",
    buckets=WAIT_SECONDS,
    registry=REGISTRY,
)
WEBHOOKS_IN_FLIGHT = Gauge(
    "luminary_io_webhooks_in_flight", "Webhooks that are being sent now.", registry=REGISTRY
)
