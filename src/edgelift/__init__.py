"""edgelift: lift a running backend to Cloudflare Workers, with proof."""
