"""Periodic work outside of jobs: lost leases, deadlines, expiry, retention, webhooks."""
