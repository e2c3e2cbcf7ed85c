"""Scenarios that play against an AWS endpoint with real calls: ordinary work, and attacks."""
