"""Does a generated clip show the motion donor's EF in the appearance donor's image?"""
