"""What people look at: one style for every figure, charts of a page that stands alone, fonts."""
