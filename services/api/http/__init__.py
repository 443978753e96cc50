"""HTTP parts that every route shares: headers, bodies, JSON, entity tags, waiting.

Nothing here knows jobs, pictures, callers or the database.
"""
