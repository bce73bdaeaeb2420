"""NWB 2.0b to 2.10, read straight from its storage: fast, lazy, and also where pynwb refuses a file."""

from neurognode.loaders.formats.nwb.reader import NWB, read_nwb

__all__ = ["NWB", "read_nwb"]
