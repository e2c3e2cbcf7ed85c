"""What was polled, kept in CloudTrail's own layout, so that everything which reads a trail reads it too."""

from trailwatch.archive.archive import Archive

__all__ = ["Archive"]
