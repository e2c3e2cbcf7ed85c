"""Locking an intruder out: actions and levers, plans, the journal, and the way back."""
