"""The tokenizer service: it encodes pictures to codes and decodes codes to pictures, in batches."""
