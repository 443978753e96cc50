"""The command line. `luminary --help` imports no model and no service."""
