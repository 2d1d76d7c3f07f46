"""snow: the Arctic-SnowCoder recipe as a declarative, content-addressed pipeline."""

__version__ = "0.1.0"
