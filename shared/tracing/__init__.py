"""One trace for each job, through all services; see docs/observability.md.

This room creates spans and reads and writes trace contexts. It knows no table and no service. Without OTEL_*
variables nothing of the SDK is imported, and every function here returns at once.
"""
