"""A static page of results for readers: made from run folders and tables, read without a server."""
