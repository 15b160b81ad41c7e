"""Where services are discovered. Each source publishes whole snapshots."""
