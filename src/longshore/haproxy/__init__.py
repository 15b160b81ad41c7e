"""HAProxy as a process and as a peer: capabilities, start, adopt, reload, observe, apply."""
