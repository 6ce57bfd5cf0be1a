"""Whatever goes wrong on the way, every commit-status host ends up showing what is true.

`world` generates what happens on a platform and what goes wrong meanwhile, `hosts` knows how each family of hosts
shows it, `play` lets it happen to a running engine, and `verdict` judges by what the host got and shows.
"""
