"""restore queue: asks S3 to restore archived objects, and has what is readable copied at once."""
