"""Whatever comes from outside may be anything: nothing but our own errors, in bounded time and memory."""
