"""The part of the probe that runs inside the origin's Python; it needs nothing but that Python."""
