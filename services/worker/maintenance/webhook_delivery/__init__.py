"""Send webhooks: claim deliveries that are due, try each once, and record what the receiver answered.

thread      a thread with an event loop: claims, sends, records
bulkheads   how many requests may be sent now, in all, for one project and to one receiver; pure
rows        claims and records in the database
sending     one request and its answer
outcomes    what follows from an answer: delivered, another try, or none; pure
"""
