"""OpenAI's images: generations and edits, answered when the job has ended or streamed while it runs.

endpoints  the routes
requests   the fields of a body; `edit_body` reads that of an edit, which may be a form
translate  a body becomes the request of a job
draw       queue the job and wait for it
stream     partial pictures and pictures as events, from what `watch` has kept
cut_out    a transparent background
responses  the job's pictures in OpenAI's form
"""
