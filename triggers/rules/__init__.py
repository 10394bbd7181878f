"""Rules as reviewed data: parsed with positions, checked in one run, converted to one immutable `RuleSet`.

`folder` reads the files. `checks` (`load`) reads all sections and finds all errors in one run; `journeys` reads the journeys. The language
of a section, an expression or a text is in `triggers.language`.
"""
