"""The sample application: notes in Postgres, visits and jobs in Redis."""
