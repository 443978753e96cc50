"""OpenAI's API below `/openai/v1`, for clients that exist: thin faces over `jobs` and `sessions`.

wire      how these clients write requests and read answers: bodies, errors, retries, names, sizes
pictures  pictures in requests (data URLs, ids, URLs, files) and in answers (`b64_json`, signed `url`)
models    the models that clients can choose
images    generations and edits
turns     a drawing that a conversation asks for becomes a turn of a session
chat      chat completions with pictures
responses responses with the tool `image_generation`, and conversations
files     files that clients upload
batches   requests of a file as jobs of low priority

The routes have no rules of their own: what a job may be is decided by `jobs`.
"""
