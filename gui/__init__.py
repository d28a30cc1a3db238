"""What people look at: the operator's window. Qt lives here and nowhere else."""
