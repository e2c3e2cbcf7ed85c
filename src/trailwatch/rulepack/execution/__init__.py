"""Rules for running code on somebody else's machines."""
