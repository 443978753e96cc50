"""Sections of the evaluation: each module asks the questions of a task and judges the drawings."""
