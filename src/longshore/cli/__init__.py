"""The commands. `app` lists them; each lives in a module of its own that is imported when it is called."""
