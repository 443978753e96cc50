"""Celery and the broker: doorbells, and a test that they still arrive. No message carries a job."""
