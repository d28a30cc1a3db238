"""A session: its folder, its processes, who watches over them, and how a person follows it."""
