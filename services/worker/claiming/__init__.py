"""Slots claim jobs, heartbeats extend leases, and attempts are stopped.

This package does not know what a job does.
"""
