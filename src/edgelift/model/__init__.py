"""The vocabulary that stages share: frozen structs with no behaviour that touches the world."""
