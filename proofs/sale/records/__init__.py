"""The records of a sale, read directly from both stores, and the invariants they must satisfy."""
