"""The database's schema as a sequence of steps."""
