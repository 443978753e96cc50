"""Call the gateway in tests: clients with keys, raw connections, checks against the OpenAPI document."""
