"""A drawing that a conversation asks for becomes a turn of a session. Chat and responses share it.

drawing  what is to be drawn
sources  the picture that it starts from: a stored one wherever possible, since its codes are used again
recognise  a drawn picture that was saved in another format or size
post     the order of a job in the right place of a tree
follow   what happens to the job, for streams
"""
