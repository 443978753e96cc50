"""Pictures of a project: uploaded, fetched from URLs, checked, stored, read.

The package `jobs` imports this one, never the reverse.
"""
