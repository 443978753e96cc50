"""Event streams: Server-Sent Events of a job, a session or a project, first from PostgreSQL, then live.

Nothing here changes a job. `subject` says which jobs a stream is about, in SQL and in Python.
"""
