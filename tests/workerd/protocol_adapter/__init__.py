"""A small package edgelift.worker for tests of the JavaScript side."""
