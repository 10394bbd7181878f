"""The fold: records in, decisions out."""
