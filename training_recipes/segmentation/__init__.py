"""LV segmentation: models, measures, one training, and a trained net as a teacher."""
