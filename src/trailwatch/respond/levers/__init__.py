"""Levers: one kind of thing at AWS each, with how it is read and set."""
