"""Rules for keeping a way back in."""
