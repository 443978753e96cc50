"""Picture files that users send: the only code that decodes them.

Used by gateway, tokenizer, command line and training.

formats    supported file formats, recognized by their first bytes, and their file name suffixes
errors     everything that can be wrong with a picture
opening    decode a file to an 8-bit Pillow picture, with limits of pixels and scans
whitening  convert any mode to RGB on a white background
crop_sizes sizes that the published models were trained for, and the best one for a picture
fitting    scale and crop a picture to a size of the model
masks      find the cells of the token grid that a mask frees
converting encode a picture in another format, or as a thumbnail
cutting_out make the background transparent by a segmentation map
decoders   the same work in child processes, which can be killed: `work` is what they do, `wire` the protocol,
           `decoder` the child process, `fair_turns` shares them between projects

No other code gives files from users to Pillow. This package imports no service, table or setting.
"""
