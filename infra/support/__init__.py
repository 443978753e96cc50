"""`luminary doctor`: checks of an installation, and a bundle of facts for support.

Everything in a bundle passes through `redaction`; nothing here reads a prompt, a picture or a key to show it.
"""
