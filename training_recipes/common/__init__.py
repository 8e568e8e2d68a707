"""What all recipes share: the data set of a job, reports, ranks, images."""
