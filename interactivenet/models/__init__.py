"""Trained models: networks, bundles, cards, and where they come from."""
