"""Between a hospital's archive and the service: radiographs come in by DICOM, result objects go back."""
