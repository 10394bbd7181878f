"""Rules as reviewed data: read with positions, checked all at once, turned into one immutable `RuleSet`.

`folder` reads the files. `checks` (`load`) reads all sections and finds all errors at once; `steps` reads the journeys. The language of
a section, an expression or a text is in `triggers.language`.
"""
