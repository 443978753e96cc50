"""Landscapes: the empty picture of every scenery at every time of day and in every weather."""
