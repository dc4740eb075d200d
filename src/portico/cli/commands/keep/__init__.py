"""What a site keeps: its certificate, stored answers, what former sites left."""
