"""The catalog in MongoDB: the details of concerts, and the pages that list them."""
