"""The quality of explanations: agreement with lungs and boxes, faithfulness, robustness."""
