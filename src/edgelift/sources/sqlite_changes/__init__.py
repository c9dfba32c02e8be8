"""Changes of a SQLite file, whoever writes it: triggers that log keys, and the feed behind them."""
