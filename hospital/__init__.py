"""The connection of a hospital's archive to the service: radiographs arrive by DICOM, result objects go back."""
