"""The special tokens with a role in the stream, under StarCoder2's names, and what a role is for."""

END = "<|endoftext|>"  # closes every document; also the tokenizer's end of sequence and padding
REPOSITORY = "<repo_name>"
FILE = "<file_sep>"
FIM_PREFIX = "<fim_prefix>"
FIM_MIDDLE = "<fim_middle>"
FIM_SUFFIX = "<fim_suffix>"
CONTEXT = (REPOSITORY, FILE)
FIM = (FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX)
