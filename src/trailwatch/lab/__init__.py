"""A simulated AWS account over HTTP that records what is done to it, as CloudTrail does."""
