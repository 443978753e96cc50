"""The worker claims jobs, draws them with the engine and commits results. All of its state is in Postgres."""
