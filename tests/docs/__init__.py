"""The pages for people say what is true."""
