"""Gates of a fill that need a network or masks: does a clip show its label, and does it show a heart of TRAIN?"""
