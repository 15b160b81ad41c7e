"""The whole of longshore with real engines and real HAProxy."""
