"""What an engine remembers, as data: taken out of its parts, put into bytes, and back."""

from pipeline.state.encoding import StateError, decode_state, encode_state
from pipeline.state.saved import EngineState, Part, Saved

__all__ = ["EngineState", "Part", "Saved", "StateError", "decode_state", "encode_state"]
