"""Commands that use a running platform through its HTTP API only; they import no service and no model."""
