"""Where a lifted backend runs: the local runtime (workerd) and the packages that fit it."""
