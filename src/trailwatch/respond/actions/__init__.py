"""Actions: one way to contain an intruder each."""
