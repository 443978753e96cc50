"""Commands that run both models in this process. Other packages of the command line import no model."""
