"""Scripts that run under the origin's own Python: stdlib only, nothing of edgelift."""
