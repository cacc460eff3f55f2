"""What a click is worth: sessions, a random walker on the image, and a brush."""
