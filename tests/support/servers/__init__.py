"""Processes under test: brokers, supervised services, a TCP proxy; and the ports they listen on."""
