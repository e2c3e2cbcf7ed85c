"""Cycles over accounts and regions: one for `check`, one a minute for `watch`."""
