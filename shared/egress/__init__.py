"""Requests to URLs that clients send, protected against SSRF: which URLs and addresses may be requested.

guard              which schemes, ports and addresses are allowed
public_addresses   which IP addresses are public
client             an HTTP client that connects only to what the guard has checked
"""
