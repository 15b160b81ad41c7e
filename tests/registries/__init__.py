"""The writing side of registries."""
