"""A trained model as an algorithm of grand-challenge.org: one case per start, no arguments."""
