"""Capacity: memory and seconds of a picture from the roofline, and fleets of workers in a simulation.

`python -m benchmarks.capacity` writes docs/capacity.md and its plots from `roofline` and from the results of
`python -m benchmarks.capacity.fleet`.
"""
