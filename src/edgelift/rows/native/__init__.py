"""The engine in C, an SQLite extension: built when the package is, or at first use."""
