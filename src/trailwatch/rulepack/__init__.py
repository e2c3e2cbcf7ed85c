"""The rules that ship, by tactic, each with its examples."""
