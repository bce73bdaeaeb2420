"""One reader per format; each is named in `neurognode.registry.BUILTINS` under ``loaders``."""
