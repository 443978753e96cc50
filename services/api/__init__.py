"""The gateway: the HTTP API.

It stores jobs in the database and rings a doorbell for the workers; it never draws and never imports torch.
"""
