"""Files that OpenAI's clients upload: pictures, and requests and results of batches.

A picture becomes one of the project's pictures (`img_...`); anything else is cut into
objects of a few megabytes, outside of the folders of pictures, so that memory is bounded however long a file
is. A row is written before its objects, and marked when they are stored.
"""
