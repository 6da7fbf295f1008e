"""The database: schema, loading and saving of batches, queries for reading, migrations. The only place with SQL."""
