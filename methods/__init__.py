"""The methods this project ships, one folder each."""
