"""The commands of this floor, one thin file each."""
