"""Tells the owner of AWS accounts that an intruder is in, from CloudTrail."""
