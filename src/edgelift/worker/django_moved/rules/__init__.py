"""SQL of single nodes of the ORM, by what they are about; registry.py finds their rules."""
