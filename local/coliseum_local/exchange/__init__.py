"""A sandbox exchange that speaks Kalshi's Trade API v2, with simulated markets behind real order books.

`venue` is the exchange itself: books, accounts, markets' lives, and the traders that keep them busy; it takes the time
in and does no I/O. `journal` keeps its state on disk, `app` serves it. `wire` knows Kalshi's shapes, quirks included.
Money a maker or taker is short of, prices off the grid and duplicate ids are refused as the real exchange refuses them.
"""
