"""Webhooks as gateway and io worker both know them: endpoints, and signatures of messages.

The io worker sends messages; events queue their deliveries in `shared.job_store.transitions`.
"""
