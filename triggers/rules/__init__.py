"""Rules as reviewed data: read with positions, checked all at once, turned into one immutable `RuleSet`.

Files flow `documents` (YAML with places) → `checks` (`load`: all sections, all errors) → `schema`, `expressions`, `steps` (one section
each) → `model` (what came out). `templates` renders message texts. `folder` reads the files.
"""
