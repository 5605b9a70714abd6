"""The reference trading bot: two simple strategies, hard limits, and the interface that Coliseum watches.

One pass of `trader` reads the open markets through `client`, asks `strategies` what to do, checks that against the
limits in `risk`, places orders, and learns its trades from the exchange's fills. Where it does not trade, `/status`
says why and in how many markets. The kit for bots, `coliseum.client.Reporter`, answers for it. On the sandbox exchange
its mode is paper; `mode` demands two confirmations before it trades real money.
"""
