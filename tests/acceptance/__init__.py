"""Tests of the whole platform as processes; a package, so that its installation ends with its last test."""
