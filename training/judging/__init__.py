"""Judging pictures of the scene world by programs: readers, measures, tables."""
