"""Scenarios: attacks and ordinary work, as records or as real calls."""
