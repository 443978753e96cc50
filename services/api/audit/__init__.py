"""The audit log: every change of projects, keys, webhook endpoints and what clients delete or rename.

A change and its entry are committed together. Rooms that create something call `record`; all other changes
are recorded by the name of their route, also those of routes that nobody has told this room of.
"""
