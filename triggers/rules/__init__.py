"""Rules as reviewed data: read with positions, checked all at once, turned into one immutable `RuleSet`."""
