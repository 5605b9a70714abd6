"""The cloud on one machine: embedded servers with the cloud's protocols. Never packaged for Lambda."""
