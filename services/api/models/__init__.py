"""The models that running workers offer."""
