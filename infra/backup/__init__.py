"""`luminary backup` and `luminary restore`: the database and the bucket in one file.

The rows are one snapshot of the database. Objects are never overwritten, so those that the snapshot's rows
name are copied after it. docs/operations.md describes both commands.
"""
