"""Compare a listing of a bucket with the catalog."""
