"""The queries behind the reports, one module per noun: SQL, and the shapes of `core.records.documents` made from its rows."""
