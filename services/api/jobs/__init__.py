"""Jobs: submit, read, list, wait, cancel, retry, delete. No other package of the gateway queues jobs."""
