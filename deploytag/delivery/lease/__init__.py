"""One lease per environment: whoever changes it holds the lease, so no two do."""
