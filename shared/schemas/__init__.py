"""Pydantic models of what crosses the HTTP border; field names are fixed."""
