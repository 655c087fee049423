"""How fast, as ratios inside one run: `make bench`. What each figure means is told in docs/performance.md."""
