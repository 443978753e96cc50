"""Usage: what the jobs of projects took, by day, project, API key, task and model.

endpoints    the route
parameters   range, groups and format of a request
repository   sums of `usage_records`
schemas      the answer
write_csv    the answer as CSV; pure
"""
