"""The problems of inputs: what can be wrong, and the rule that each one breaks."""
