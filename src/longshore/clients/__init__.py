"""Thin protocol clients that know nothing of longshore: the engine, HAProxy."""
