"""Segmenting: a predictor for single cases, batches of cases, ensembles."""
