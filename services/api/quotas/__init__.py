"""What projects may use: requests, pictures of a day, storage.

Waiting jobs are counted where they are queued, running ones where they are claimed.
"""
