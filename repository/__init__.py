"""The archive: all that is Postgres, and all the SQL there is."""
