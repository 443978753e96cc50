"""Authentication with API keys, from the headers alone: the body has not been read yet.

Nothing here knows jobs, pictures or other resources.
"""
