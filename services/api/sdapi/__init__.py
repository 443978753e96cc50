"""The API of AUTOMATIC1111's web UI (`/sdapi/v1`), as Open WebUI, SillyTavern and LibreChat use it.

Requests are translated into jobs, which only `services.api.jobs` queues. No rule of jobs belongs here.
"""
