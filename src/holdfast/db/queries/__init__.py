"""The queries behind the reports, one module a noun: SQL, and the `core.records.documents` made of its rows."""
