"""Code that several services use. It imports no service and never torch."""
