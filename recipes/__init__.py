"""How the models that ship with the program are made."""
