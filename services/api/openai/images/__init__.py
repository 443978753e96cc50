"""OpenAI's images: generations and edits, answered when the job has ended or streamed while it runs.

endpoints  the routes
requests   the fields of a body
translate  a body becomes the request of a job
draw       queue the job and wait for it
responses  the job's pictures in OpenAI's form
"""
