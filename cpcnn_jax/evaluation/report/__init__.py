"""What people look at: a run shown."""
