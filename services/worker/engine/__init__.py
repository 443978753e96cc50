"""The inference engine: submit requests, call `step`, and every running picture gains at least one token.

It does no I/O except reading model files, and imports no code of the services or the platform.
"""
