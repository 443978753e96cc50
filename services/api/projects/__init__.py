"""Projects and API keys: who may use the platform, for what, and how much of it.

endpoints, key_endpoints   routes
create, change             what the routes of projects do
create_key, change_key, rotate_key   what the routes of keys do
repository                 read projects and keys
view                       rows become responses; pure
schemas, key_schemas, parameters     bodies, and ids of requests
"""
