"""The vocabulary that stages share: plain frozen structs with no behaviour that touches the world."""
