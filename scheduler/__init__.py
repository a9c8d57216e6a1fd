"""What runs when: campaigns and their runs, audiences, leased jobs, and the sweep that moves everything due."""
