"""Bytes in, records out: containers, envelopes and compression, all of it bounded."""
