"""The folder put on PYTHONPATH to capture what an app gives to its models."""
