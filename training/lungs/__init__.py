"""The lung segmenter: masks of several makers, its training, and the file of masks that frames are cut by."""
