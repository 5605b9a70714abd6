"""Upstash Redis on one machine: real Valkey behind a gateway that speaks Upstash's REST protocol.

`python -m coliseum_local.redis --port P --state DIR`. The gateway refuses what the cloud refuses, counts
commands the way the cloud bills them (`/_meter`), and can misbehave on demand (`/_faults`).
"""
