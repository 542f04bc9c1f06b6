"""Network parts that models are built from. They know no model and no recipe."""
