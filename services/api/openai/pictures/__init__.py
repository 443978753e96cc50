"""Pictures in requests and answers of OpenAI's API.

sources    a picture of a request becomes the source that a job takes
links      addresses of pictures with a signature, for clients that fetch them without a key
answers    a picture of a job as `b64_json` or `url`
endpoints  the route behind the addresses
"""
