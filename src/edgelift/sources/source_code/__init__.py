"""The origin's Python source as a tree of names and calls; init, assess and plan read it."""

from edgelift.sources.source_code.files import SourceFile, SourceTree, read_sources
from edgelift.sources.source_code.graph import CodeGraph, Function
from edgelift.sources.source_code.names import Names

__all__ = ["CodeGraph", "Function", "Names", "SourceFile", "SourceTree", "read_sources"]
