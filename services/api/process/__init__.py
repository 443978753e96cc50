"""Resources that one gateway process keeps open: database, storage, broker, decoders, probes.

Nothing here knows the routes.
"""
