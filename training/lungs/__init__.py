"""The lung segmenter: masks from several sources, its training, and the file of masks for lung frames."""
