"""The terminal: command line, screens, headless printer. Only reads runs; the engine writes them."""
