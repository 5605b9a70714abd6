"""Upstash Redis on one machine: a real Valkey behind a gateway with Upstash's REST protocol.

`python -m coliseum_local.redis --port P --state DIR`. The gateway refuses what the cloud refuses, counts
commands the way the cloud bills them (`/_meter`), and can misbehave on demand (`/_faults`).
"""
