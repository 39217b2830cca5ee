"""What a CI run comes down to, and what the CI is told of it."""
