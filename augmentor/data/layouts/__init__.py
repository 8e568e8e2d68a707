"""Which files make up a dataset, by its layout: EchoNet-Dynamic, -Pediatric, -LVH, or any table with a column map."""
