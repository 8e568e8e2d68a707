"""The report of a benchmark: verdict, tables, plots, frames, pages."""
