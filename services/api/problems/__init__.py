"""Error responses: the table of problem codes, their documents, and validation errors as problems.

Imports no other package of the gateway.
"""
