"""What containers run beside the services: generated secrets, roles and bucket, the first key, health checks.

The images are built from `infra/docker`; `docker-compose.yml` says which container runs what.
"""
