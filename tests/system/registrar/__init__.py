"""A registrar beside a real engine and real registries."""
