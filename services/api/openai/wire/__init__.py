"""How OpenAI's clients write requests and read answers, whatever the resource.

routing      refusals as these clients read them: 400 in place of 422, `x-should-retry`
json_body    a JSON body as a plain object, with long strings at any depth
forms        a form as a plain object
fields       validate such an object; unknown fields are ignored
retries      a client that repeats a request gets the job of its first try
model_names  aliases such as `gpt-image-*`
sizes        any size becomes the nearest one of the model
waiting      wait for the end of a job as long as the client stays connected
usage        the tokens of a job
"""
