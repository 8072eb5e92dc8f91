"""Where a network found evidence: class activation maps. Needs torch; knows neither files nor HTTP."""
