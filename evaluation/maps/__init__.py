"""What explanations are worth: maps against lungs, faithfulness, robustness."""
