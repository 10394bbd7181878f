"""The rule language: from the text of a file to definitions of conditions, texts and schemas, with all errors in them."""
