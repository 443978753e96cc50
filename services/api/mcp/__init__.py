"""The Model Context Protocol at `/mcp`: agents draw with tools, which are jobs and turns of sessions.

The official SDK speaks the protocol; it is imported with the first request, because it takes 15 MB and most
of a second. Nothing is kept between requests, so any gateway process can answer any of them. No rule of jobs
or sessions belongs here.
"""
