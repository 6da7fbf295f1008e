"""Every table in hash partitions by organisation: what a distributed PostgreSQL asks of the schema and of statements.

`schema` makes such a database, `recorder` explains each statement of the product on one, `allowed` lists the
statements that may touch more than one partition, each with its reason.
"""
