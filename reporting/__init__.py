"""evaluation.json and study.json → HTML, Markdown and the model card. Reads figures and computes none."""
