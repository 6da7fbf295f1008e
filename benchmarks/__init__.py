"""Benchmarks: Holdfast against its yardsticks, in one run on one machine, stated as ratios.

Absolute figures depend on the disk and on how many cores the load generator shares with the database;
only figures of the same run are ever divided by each other.
"""
