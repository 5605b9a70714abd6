"""The reference trading bot: two simple strategies, hard limits, and the interface that Coliseum watches.

A pass of `trader` reads the open markets through `client`, asks `strategies` what to do, lets `risk` cut it down,
places orders, and learns its trades from the exchange's fills. Nothing traded? `/status` says why, market by market.
It trades on the sandbox exchange as paper; `mode` holds what has to be said twice before real money moves.
"""
