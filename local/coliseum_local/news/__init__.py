"""Made-up news for the sandbox's markets, as RSS and Atom feeds with the quirks of real ones."""
