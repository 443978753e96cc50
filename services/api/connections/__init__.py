"""TCP connections of the gateway and their limits, below the application: no routes, no database."""
