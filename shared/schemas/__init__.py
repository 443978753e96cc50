"""Pydantic models of HTTP requests and responses; the names of their fields must not change."""
