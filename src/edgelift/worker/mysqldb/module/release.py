"""The version of mysqlclient whose behaviour this is."""

__version__ = "2.2.7"
version_info = (2, 2, 7, "final", 0)
