"""The HTTP API of a running agent, and its metrics."""
