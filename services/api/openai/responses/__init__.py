"""OpenAI's responses with the tool `image_generation`: a response is a turn, a conversation is a session.

requests       what a client sends
items          input items: instruction, pictures, and what is kept of them
tool           options of the tool as fields of a picture
context        the place in a tree that an earlier response or a conversation names
store, text    the row of a response, with texts that can be stored
create         a request becomes a turn, or a short text
repository     read responses with their jobs
objects, view  a response in OpenAI's form
events         the numbered events of a response; they follow from its job alone
stream         send these events, from any number on
respond        answer a request at once, as a stream, or when the response is drawn
remove         cancel and delete
paging         lists of items
conversations  sessions under OpenAI's name
endpoints      the routes of responses; `conversation_endpoints` those of conversations
"""
