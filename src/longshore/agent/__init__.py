"""The loops: sources to desired state to plan to HAProxy; supervision, state on disk."""
