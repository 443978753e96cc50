"""Webhook endpoints, their secrets and their delivery log. Sending is the io worker's part.

endpoints, delivery_endpoints   routes
create, change, rotate, switch, redeliver   what the routes do
repository   read endpoints and deliveries of a project
view         rows become responses; pure
schemas, delivery_schemas, parameters   bodies, and ids and cursors of requests
"""
