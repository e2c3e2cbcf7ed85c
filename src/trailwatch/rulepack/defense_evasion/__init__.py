"""Rules for switching off or deceiving what watches."""
