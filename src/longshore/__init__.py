"""longshore: load balancing that follows your containers."""

__version__ = "0.1.0"
