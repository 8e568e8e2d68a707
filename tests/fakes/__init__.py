"""Small stand-ins for data sets, generators and reports that tests of several rooms share."""
