"""What structures are, in coded concepts: the tables, and the files of users."""
