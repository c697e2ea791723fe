"""An embedded Postgres and AWS, and a sample workload."""
