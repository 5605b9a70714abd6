"""The cloud on one machine: embedded servers that speak the cloud's protocols. Never packaged for Lambda."""
