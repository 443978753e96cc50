"""Evaluation of pictures of the larger world by programs: recognition, verdicts, sections of the report."""
