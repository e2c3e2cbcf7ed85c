"""Addresses: country, network, AWS ranges and the user's own lists, read from files that the user has."""
