"""The package that people install is whole, and nothing else is in it."""
