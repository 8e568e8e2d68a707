"""Does a generated clip carry the motion donor's EF and the appearance donor's look?"""
