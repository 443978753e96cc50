"""Sessions: trees of turns. Each turn is a job, which only `services.api.jobs` queues."""
