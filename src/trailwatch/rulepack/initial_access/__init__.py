"""Rules for getting in."""
