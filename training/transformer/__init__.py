"""Training of the transformer: new models, loss, training state, adapters, model folders."""
