"""TLS of connections to the tokenizer service."""

import ssl

from shared.settings import TokenizerAddress


def tls_context(address: TokenizerAddress) -> ssl.SSLContext | bool:
    """How the service's certificate is checked, and the certificate that its client shows."""
    if address.ca_certificate is None and address.client_certificate is None:
        return True
    context = ssl.create_default_context(cafile=address.ca_certificate)
    if address.client_certificate is not None:
        context.load_cert_chain(address.client_certificate)
    return context
