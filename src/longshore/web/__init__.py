"""What programs and browsers ask of the running agent: one HTTP API, on a unix socket and on the admin address."""
