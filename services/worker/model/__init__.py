"""The loaded model: a thread that runs the engine, and descriptions of the model. It knows no jobs."""
