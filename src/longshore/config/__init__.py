"""The configuration file: models, positions, origins, errors for people."""
