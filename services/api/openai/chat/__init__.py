"""Chat completions with pictures: a conversation is an edit session.

requests      what a client sends
conversation  the instruction and the last picture in the messages
background    requests for titles, tags and the like, which chat programs send by themselves
texts         their short answers
answers       completions and chunks
complete      a conversation becomes a turn of a session
stream        the chunks of a completion while it is drawn
endpoints     the route
"""
