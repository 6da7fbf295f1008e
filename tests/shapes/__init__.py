"""Shapes: every command over shops of many sizes, and what it costs to decide it there."""
