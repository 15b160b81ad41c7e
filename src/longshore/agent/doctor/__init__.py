"""`longshore doctor`: finds trouble and says the cure. Each module looks at one kind of thing, `rounds` at all."""
