"""An executor as the standard library has it, over supervised processes."""
