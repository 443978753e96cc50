"""Helpers for tests: they create rows, models, servers, gateways and platforms.

Code that several test files need is here: test files import from this package and not from each other.
Tests and fixtures are in `unit`, `golden`, `integration`, `acceptance` and `cuda`.
"""
