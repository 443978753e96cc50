"""Turn a request into the tokens of its sequence: prompts, vocabulary, image grammar.

It imports no tensor code.
"""
