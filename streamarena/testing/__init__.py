"""What tests of streaming code need: a fake model server, cassettes, a chaos proxy (floor 3)."""
