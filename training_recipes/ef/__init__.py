"""EF regression: models, how a batch teaches them, one training, and a trained net as a teacher."""
