"""What a function remembers from one call to the next, in one DynamoDB table."""
