"""The writing side of registries: entries that are kept there under a lease, a session or a TTL check."""
