"""The models that OpenAI's clients can choose: those of running workers, and aliases."""
