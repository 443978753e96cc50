"""Routes that need no key: health, metrics, problem pages, the API reference.

They show no data of any project.
"""
