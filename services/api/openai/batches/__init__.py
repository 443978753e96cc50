"""OpenAI's batches: the requests of a file become jobs of low priority, their answers become files.

endpoints   the routes
create      order a batch; cancel one
steps       take a batch, do one step, put it back: `runner` does so without end, in every gateway
read_lines  step of a new batch: check the lines of its file
submit      step of a running batch: queue jobs for its next requests
collect     step of a running batch: see which jobs have ended, cancel those of a batch that ends early
write_files step of a batch whose requests are all done: write its output and its errors

All state is in PostgreSQL, so a batch goes on in another gateway when one dies. Only a piece of a file and a
few requests are in memory at a time.
"""
