NAME = 1 / 0
