"""The records of a sale, as read directly from both stores, and the invariants that they satisfy."""
