"""The edge, the HTTP API, the function URL and the scheduler on one port: what calls the functions in the cloud.

routing.py        which function answers a path; pure
events.py         requests and schedules as the events that Lambda hands over; pure
environments.py   a function's execution environments: one invocation at a time each, with deadline and context
streaming.py      the streaming function's ASGI app, in this process, client by client
schedules.py      fires what is due
app.py            the ASGI app that ties them together
"""
