"""The job as the API shows it, for every service that shows one: responses and webhook messages.

read   rows of jobs from the database, with a fixed number of statements
view   a job's rows become the response; pure
"""
