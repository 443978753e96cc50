"""Evaluation of pictures of the scene world by programs: recognition, metrics, scores, tables."""
