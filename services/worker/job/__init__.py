"""Run one job from claim to commit."""
