"""Podman and buildah for `make containers`: a base image, our images, and the compose file."""
