"""`python -m tests.openrouter [PORT]` runs the fake for development. It prints the settings that select it."""

from __future__ import annotations

import sys
import threading

from tests.openrouter.server import serving

if __name__ == "__main__":
    with serving(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as server:
        print(f"OPENROUTER_BASE_URL={server.url} OPENROUTER_API_KEY=sk-or-v1-fake", flush=True)
        threading.Event().wait()
