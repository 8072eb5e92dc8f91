"""Render evaluation.json and study.json as HTML, Markdown and the model card. Computes no figures."""
