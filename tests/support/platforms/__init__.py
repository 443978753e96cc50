"""Run a whole platform in a test, workers, gateway and servers, and read what they have stored."""
